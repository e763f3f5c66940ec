import { and, desc, eq, isNull, ne, or, type SQL } from "drizzle-orm"
import type { Address } from "viem"
import type { WhyEvent } from "#protocol"
import type { Db } from "../store/database.ts"
import { events } from "../store/schema.ts"

const NEWEST = 200

export function jobEvents(db: Db, jobId: bigint): Promise<WhyEvent[]> {
  return read(db, eq(events.jobId, jobId))
}

export type TaskEventsParams = {
  jobId: bigint
  shard: number
  taskIndex: number
  batchId: bigint | null
  worker: Address | null
}

/** What happened to the task's shard and, where it is in a batch, to that batch as a whole. */
export function taskEvents(
  db: Db,
  { jobId, shard, taskIndex, batchId, worker }: TaskEventsParams,
): Promise<WhyEvent[]> {
  const ofTask = or(isNull(events.taskIndex), eq(events.taskIndex, taskIndex))
  const ofShard = and(eq(events.jobId, jobId), eq(events.shard, shard), ofTask)
  // A batch is told once for each of its ranges; the other workers' are not this task's story.
  const ofRange = or(isNull(events.worker), worker ? eq(events.worker, worker) : undefined)
  // Nor is what its worker earned by auditing others.
  const ofWork = ne(events.code, "VERIFIER_PAID")
  const ofBatch =
    batchId === null ? undefined : and(eq(events.batchId, batchId), isNull(events.shard), ofTask, ofRange, ofWork)
  return read(db, or(ofShard, ofBatch))
}

export function workerEvents(db: Db, worker: Address): Promise<WhyEvent[]> {
  return read(db, eq(events.worker, worker))
}

/** The newest ones, in the order in which they happened. */
async function read(db: Db, which: SQL | undefined): Promise<WhyEvent[]> {
  const rows = await db.select().from(events).where(which).orderBy(desc(events.id)).limit(NEWEST)
  return rows.reverse().map(({ at, code, text, tx }) => ({ at: at.toISOString(), code, text, ...(tx ? { tx } : {}) }))
}
