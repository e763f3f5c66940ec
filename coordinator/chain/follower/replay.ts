import { and, asc, eq, gt, inArray } from "drizzle-orm"
import type { Db } from "../../store/database.ts"
import {
  batches,
  batchPlans,
  chainBlocks,
  chainLogs,
  demands,
  disputes,
  equivocations,
  events,
  jobs,
  keys,
  ranges,
  rounds,
  seatCounts,
  seats,
} from "../../store/schema.ts"
import type { RawLog, Subject } from "./logs.ts"

/** Drops everything that follows from one subject's logs. */
export async function resetSubject(db: Db, subject: Subject): Promise<void> {
  const [kind, id] = subject.split(":") as [string, `0x${string}`]
  if (kind === "seats") {
    await db.delete(seats).where(eq(seats.capability, id))
    await db.delete(seatCounts).where(eq(seatCounts.capability, id))
  }
  if (kind === "key") await db.delete(keys).where(eq(keys.key, id))
  if (kind === "rounds") await db.delete(rounds)
  if (kind === "job") await resetJob(db, BigInt(id))
}

async function resetJob(db: Db, jobId: bigint): Promise<void> {
  const own = await db.select({ id: batches.batchId }).from(batches).where(eq(batches.jobId, jobId))
  const ids = own.map(({ id }) => id)
  if (ids.length > 0) {
    await db.delete(ranges).where(inArray(ranges.batchId, ids))
    await db.delete(disputes).where(inArray(disputes.batchId, ids))
    await db.delete(demands).where(inArray(demands.batchId, ids))
    await db.delete(batches).where(eq(batches.jobId, jobId))
  }
  await db.delete(equivocations).where(eq(equivocations.jobId, jobId))
  await db
    .update(batchPlans)
    .set({ state: "planned", batchId: null })
    .where(and(eq(batchPlans.jobId, jobId), eq(batchPlans.state, "committed")))
  await db
    .update(jobs)
    .set({ state: "submitted", postedBlock: null, postedTx: null, closedAt: null, refunded: null, refundTx: null })
    .where(eq(jobs.jobId, jobId))
}

/** The stored logs of a subject with the time of their blocks, in order. */
export async function logsOf(db: Db, subject: Subject): Promise<(RawLog & { time: number })[]> {
  const rows = await db
    .select({ log: chainLogs, time: chainBlocks.time })
    .from(chainLogs)
    .innerJoin(chainBlocks, eq(chainBlocks.number, chainLogs.block))
    .where(eq(chainLogs.subject, subject))
    .orderBy(asc(chainLogs.block), asc(chainLogs.logIndex))
  return rows.map(({ log, time }) => ({ ...log, time }))
}

/** Forgets what stands above the common ancestor; the subjects that it concerned are to be replayed. */
export async function forgetAbove(db: Db, ancestor: number): Promise<Subject[]> {
  const gone = await db.delete(chainLogs).where(gt(chainLogs.block, ancestor)).returning({ subject: chainLogs.subject })
  await db.delete(chainBlocks).where(gt(chainBlocks.number, ancestor))
  await db.delete(events).where(gt(events.block, ancestor))
  return [...new Set(gone.map(({ subject }) => subject as Subject))]
}
