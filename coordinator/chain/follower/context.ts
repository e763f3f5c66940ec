import type { Address, Hex } from "viem"
import type { Deployment } from "#protocol"
import type { Db } from "../../store/database.ts"
import { events } from "../../store/schema.ts"

/** Where an event stands, and what applying it leaves to do afterwards. */
export type ApplyContext = {
  /** The transaction of the whole chunk. */
  readonly db: Db
  readonly deployment: Deployment
  readonly coordinator: Address
  readonly block: number
  /** Block timestamp, seconds. */
  readonly time: number
  readonly tx: Hex
  /** Replays change rows without telling the story again. */
  readonly quiet: boolean
  /** Slots whose amounts may have changed. */
  touchPair(account: Address, coordinator: Address): void
}

export type Tale = {
  code: string
  text: string
  jobId?: bigint
  shard?: number
  worker?: Address
  batchId?: bigint
  data?: Record<string, unknown>
}

/** One line of the why-log, bound to the block that caused it. */
export async function tell(context: ApplyContext, tale: Tale): Promise<void> {
  if (context.quiet) return
  const worker = tale.worker?.toLowerCase() as Address | undefined
  await context.db.insert(events).values({ ...tale, worker, tx: context.tx, block: context.block })
}
