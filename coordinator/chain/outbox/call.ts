import { and, eq } from "drizzle-orm"
import type { Address, Hex } from "viem"
import type { Db } from "../../store/database.ts"
import { outbox } from "../../store/schema.ts"

/** A call that must reach the chain. */
export type OutboxCall = {
  /** What it achieves, once a sender: the same key is never queued twice. */
  key: string
  kind: string
  to: Address
  data: Hex
  value?: bigint
  /** May share a multicall with other calls of its target that are ripe at the same time, in ascending order of rank. */
  rank?: number
  /** How often it may revert before it is given up; pauses between attempts double up to 15 seconds. */
  maxAttempts?: number
}

const MAX_ATTEMPTS = 8

/** Queues a call inside the transaction of the state that causes it; true if it was not queued before. */
export async function enqueueCall({ db, sender }: { db: Db; sender: Address }, call: OutboxCall): Promise<boolean> {
  const rows = await db
    .insert(outbox)
    .values({
      sender: sender.toLowerCase() as Address,
      key: call.key,
      kind: call.kind,
      to: call.to.toLowerCase() as Address,
      data: call.data,
      value: call.value ?? 0n,
      pipelined: call.rank !== undefined,
      rank: call.rank ?? 0,
      maxAttempts: call.maxAttempts ?? MAX_ATTEMPTS,
    })
    .onConflictDoNothing()
    .returning({ id: outbox.id })
  return rows.length > 0
}

/** How a call stands, by its key. */
export async function outboxCall({ db, sender }: { db: Db; sender: Address }, key: string) {
  const [row] = await db
    .select()
    .from(outbox)
    .where(and(eq(outbox.sender, sender.toLowerCase() as Address), eq(outbox.key, key)))
  return row
}
