import { and, eq, sql } from "drizzle-orm"
import type { Address } from "viem"
import type { Db } from "../../store/database.ts"
import { outboxSenders } from "../../store/schema.ts"

export type ElectionParams = { sender: Address; holder: string; seconds: number }

/**
 * Takes or renews the right to send for a key. The database's own clock decides, so replicas need no common one; a row
 * instead of an advisory lock, because pooled connections would lose that one at any time.
 */
export async function holdSender(db: Db, { sender, holder, seconds }: ElectionParams): Promise<boolean> {
  const until = sql`now() + make_interval(secs => ${seconds})`
  const rows = await db
    .insert(outboxSenders)
    .values({ sender, holder, until })
    .onConflictDoUpdate({
      target: outboxSenders.sender,
      set: { holder, until },
      setWhere: sql`${outboxSenders.until} < now() or ${outboxSenders.holder} = ${holder}`,
    })
    .returning({ holder: outboxSenders.holder })
  return rows.length > 0
}

/** True while the right is held; inside a transaction it also keeps others from taking it until the commit. */
export async function stillHolds(db: Db, { sender, holder }: Omit<ElectionParams, "seconds">): Promise<boolean> {
  const rows = await db
    .select({ holder: outboxSenders.holder })
    .from(outboxSenders)
    .where(and(eq(outboxSenders.sender, sender), eq(outboxSenders.holder, holder), sql`${outboxSenders.until} > now()`))
    .for("update")
  return rows.length > 0
}

export async function releaseSender(db: Db, { sender, holder }: Omit<ElectionParams, "seconds">): Promise<void> {
  await db.delete(outboxSenders).where(and(eq(outboxSenders.sender, sender), eq(outboxSenders.holder, holder)))
}
