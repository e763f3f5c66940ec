import { and, desc, eq, inArray, lt, or, sql } from "drizzle-orm"
import type { Hex } from "viem"
import {
  type BatchView,
  formatJobId,
  type JobList,
  type JobQuery,
  type JobResults,
  type JobSummary,
  type JobView,
  type Reason,
  type ShardCounts,
  shardTasks,
  taskSalt,
} from "#protocol"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { jobs, receipts, shards } from "../store/schema.ts"
import { specOf, termsOf } from "./jobRow.ts"

type JobRow = typeof jobs.$inferSelect

const NONE: ShardCounts = { queued: 0, leased: 0, received: 0, committed: 0, attested: 0, final: 0, void: 0 }

export async function countShards(db: Db, jobIds: readonly bigint[]): Promise<Map<bigint, ShardCounts>> {
  const counts = new Map<bigint, ShardCounts>()
  if (jobIds.length === 0) return counts
  const rows = await db
    .select({ jobId: shards.jobId, state: shards.state, shards: sql<number>`count(*)::int` })
    .from(shards)
    .where(inArray(shards.jobId, [...jobIds]))
    .groupBy(shards.jobId, shards.state)
  for (const row of rows) {
    const known = counts.get(row.jobId) ?? { ...NONE }
    known[row.state] = row.shards
    counts.set(row.jobId, known)
  }
  return counts
}

function summaryOf(job: JobRow, counts: ShardCounts | undefined): JobSummary {
  // Checked when it was stored; a spec of ten thousand shards is not parsed for its title.
  const { title } = job.spec as { title?: string }
  return {
    jobId: job.jobId,
    requester: job.requester,
    state: job.state,
    ...(title === undefined ? {} : { title }),
    tasks: job.tasks,
    shards: job.shards,
    createdAt: job.createdAt.toISOString(),
    deadline: new Date(job.deadline * 1000).toISOString(),
    fee: job.fee,
    counts: counts ?? { ...NONE },
  }
}

/** Newest first; the cursor is the last row's time and id, so that pages do not move while jobs come in. */
export async function listJobs(db: Db, { requester, state, limit, cursor }: JobQuery): Promise<JobList> {
  const after = cursor === undefined ? undefined : parseCursor(cursor)
  // The cursor has milliseconds, the column microseconds.
  const created = sql`date_trunc('milliseconds', ${jobs.createdAt})`
  const time = sql`${after?.at.toISOString() ?? ""}::timestamptz`
  const rows = await db
    .select()
    .from(jobs)
    .where(
      and(
        requester ? eq(jobs.requester, requester) : undefined,
        state ? eq(jobs.state, state) : undefined,
        after ? or(sql`${created} < ${time}`, and(sql`${created} = ${time}`, lt(jobs.jobId, after.jobId))) : undefined,
      ),
    )
    .orderBy(desc(created), desc(jobs.jobId))
    .limit(limit + 1)
  const page = rows.slice(0, limit)
  const counts = await countShards(
    db,
    page.map((row) => row.jobId),
  )
  const last = page.at(-1)
  return {
    jobs: page.map((row) => summaryOf(row, counts.get(row.jobId))),
    ...(rows.length > limit && last ? { next: `${last.createdAt.getTime()}-${formatJobId(last.jobId)}` } : {}),
  }
}

function parseCursor(cursor: string): { at: Date; jobId: bigint } {
  const match = /^([0-9]{1,15})-(0x[0-9a-f]{48})$/.exec(cursor)
  if (!match) throw refuse("E_BAD_REQUEST", "the cursor is none that this coordinator gave")
  return { at: new Date(Number(match[1])), jobId: BigInt(match[2]!) }
}

export async function findJob(db: Db, jobId: bigint): Promise<JobRow> {
  const [job] = await db.select().from(jobs).where(eq(jobs.jobId, jobId))
  if (!job) throw refuse("E_JOB_UNKNOWN", `this coordinator does not know the job ${formatJobId(jobId)}`)
  return job
}

export type ViewJobDeps = {
  db: Db
  batchesOf: (jobId: bigint) => Promise<BatchView[]>
  reasonOf: (job: JobRow) => Promise<Reason>
}

export async function viewJob({ db, batchesOf, reasonOf }: ViewJobDeps, jobId: bigint): Promise<JobView> {
  const job = await findJob(db, jobId)
  const [counts, batches, reason] = await Promise.all([countShards(db, [jobId]), batchesOf(jobId), reasonOf(job)])
  return { ...summaryOf(job, counts.get(jobId)), terms: termsOf(job), spec: specOf(job), batches, reason }
}

const WITH_LEAVES_OUT: ReadonlySet<string> = new Set(["attested", "final"])

/**
 * A public job's salt of one task (R6). Not before its batch is attested: until then verdicts are blind, and who knows a
 * salt can guess what small outputs were committed to.
 */
export async function viewSalt(db: Db, job: JobRow, taskIndex: number): Promise<Hex> {
  if (!specOf(job).public) throw refuse("E_JOB_NOT_PUBLIC", `job ${formatJobId(job.jobId)} is its requester's alone`)
  if (taskIndex >= job.tasks) throw refuse("E_BAD_REQUEST", `the job has ${job.tasks} tasks`)
  const shard = Math.floor(taskIndex / job.shardSize)
  const [row] = await db
    .select({ state: shards.state })
    .from(shards)
    .where(and(eq(shards.jobId, job.jobId), eq(shards.shard, shard)))
  if (!row || !WITH_LEAVES_OUT.has(row.state)) {
    throw refuse("E_BATCH_NOT_PUBLIC", "salts of a public job are public once the batch is attested")
  }
  return taskSalt(job.jobSalt, taskIndex)
}

/** Shards whose outputs are here, for the requester. */
export async function viewResults(db: Db, job: JobRow): Promise<JobResults> {
  const rows = await db
    .select({ shard: shards, receipt: receipts })
    .from(shards)
    .innerJoin(receipts, eq(receipts.leaseHash, shards.leaseHash))
    .where(eq(shards.jobId, job.jobId))
    .orderBy(shards.shard)
  return {
    jobId: job.jobId,
    shards: rows.map(({ shard, receipt }) => {
      const { first, count } = shardTasks(job, shard.shard)
      return {
        shard: shard.shard,
        firstTask: first,
        count,
        worker: receipt.worker,
        ...(shard.batchId === null ? {} : { batchId: shard.batchId }),
        state: shard.state,
        outputs: receipt.outputs,
        leaves: receipt.leaves,
      }
    }),
  }
}
