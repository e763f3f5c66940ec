import { and, eq } from "drizzle-orm"
import { formatAmount, formatCount } from "#protocol"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { batches, ranges, shards } from "../store/schema.ts"
import { type Explained, type ExplainJobDeps, explained, explainJob, type JobRow } from "./explainJob.ts"

type ShardRow = typeof shards.$inferSelect

export type ExplainedTask = Explained & { state: string; shard: ShardRow }

/** Why a task is where it is: the state of its shard, and for a void one the cause. */
export async function explainTask(deps: ExplainJobDeps, job: JobRow, taskIndex: number): Promise<ExplainedTask> {
  if (taskIndex >= job.tasks)
    throw refuse("E_NOT_FOUND", `the job has ${formatCount(job.tasks, "task")}: the last is ${job.tasks - 1}`)
  const number = Math.floor(taskIndex / job.shardSize)
  const [shard] = await deps.db
    .select()
    .from(shards)
    .where(and(eq(shards.jobId, job.jobId), eq(shards.shard, number)))
  if (!shard) throw refuse("E_NOT_FOUND", `the job has no shard ${number}`)
  return { ...(await explainShard(deps, job, shard)), state: shard.state, shard }
}

async function explainShard(deps: ExplainJobDeps, job: JobRow, shard: ShardRow): Promise<Explained> {
  switch (shard.state) {
    case "queued": {
      if (job.state !== "open" && job.state !== "submitted") return explained("TASK_NEVER_RUN")
      const whole = await explainJob(deps, job)
      if (whole.code === "JOB_DEADLINE" || whole.code === "JOB_REFUNDABLE") return explained("TASK_NEVER_RUN")
      return explained("TASK_QUEUED", `${whole.code}: ${whole.text}`)
    }
    case "leased":
      return explained("TASK_LEASED", `by ${shard.worker}`)
    case "received":
      return explained("TASK_RECEIVED")
    case "committed":
    case "attested": {
      const range = await rangeOf(deps.db, shard)
      if (range?.frozen) return explained("TASK_FROZEN")
      return explained(shard.state === "committed" ? "TASK_COMMITTED" : "TASK_ATTESTED")
    }
    case "final":
      return explained("TASK_PAID", payOf(job, shard))
    case "void":
      return explainVoid(deps.db, shard)
  }
}

/** What its worker got for the shard; the range's sum, in one transaction, is an event. */
function payOf({ fee }: JobRow, { shard, worker, units }: ShardRow): string | undefined {
  if (worker === null || units === null) return undefined
  return `shard ${shard}: ${formatCount(units, "unit")} at ${formatAmount(fee)}, ${formatAmount(BigInt(units) * fee)} to ${worker}`
}

async function explainVoid(db: Db, shard: ShardRow): Promise<Explained> {
  if (shard.batchId === null) return explained("TASK_RECLAIMABLE")
  const [batch] = await db.select().from(batches).where(eq(batches.batchId, shard.batchId))
  const range = await rangeOf(db, shard)
  if (!batch || batch.state === "withdrawn" || batch.state === "forfeited") return explained("TASK_RECLAIMABLE")
  switch (range?.voided) {
    case "worker":
      return explained("TASK_VOID_WORKER")
    case "nobody":
      return explained("TASK_VOID_NOBODY")
    case "coordinator": {
      const silent = batch.silentRanges ?? 0n
      return explained((silent >> BigInt(range.position)) & 1n ? "TASK_VOID_SILENT" : "TASK_VOID_COORDINATOR")
    }
    default:
      return explained("TASK_RECLAIMABLE")
  }
}

async function rangeOf(db: Db, shard: ShardRow): Promise<typeof ranges.$inferSelect | undefined> {
  if (shard.batchId === null) return undefined
  const [batch] = await db
    .select({ firstShard: batches.firstShard })
    .from(batches)
    .where(eq(batches.batchId, shard.batchId))
  if (!batch) return undefined
  const bit = BigInt(shard.shard - batch.firstShard)
  const rows = await db.select().from(ranges).where(eq(ranges.batchId, shard.batchId))
  return rows.find((range) => (range.mask >> bit) & 1n)
}
