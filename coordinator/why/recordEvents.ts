import type { Address, Hex } from "viem"
import type { Db } from "../store/database.ts"
import { events } from "../store/schema.ts"

/** Something that somebody may ask about: its code stands in protocol's table of reasons. */
export type WhyRecord = {
  code: string
  text: string
  jobId?: bigint
  shard?: number
  taskIndex?: number
  worker?: Address
  batchId?: bigint
  tx?: Hex
  data?: Record<string, unknown>
}

/** Writes to the log that `why` is told from; in the transaction of the change that it tells about. */
export async function recordEvents(db: Db, records: readonly WhyRecord[]): Promise<void> {
  if (records.length > 0) await db.insert(events).values([...records])
}
