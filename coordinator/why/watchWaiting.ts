import { and, eq, sql } from "drizzle-orm"
import type { Logger } from "pino"
import { formatJobId } from "#protocol"
import { jobs, shards } from "../store/schema.ts"
import { type ExplainJobDeps, explainJob } from "./explainJob.ts"
import { recordEvents } from "./recordEvents.ts"

/** A job that nobody can take says so in the log of events, once for each change of the reason; call it every few seconds. */
export function createWaitingWatch(deps: ExplainJobDeps & { log: Logger }) {
  const { db, log } = deps
  const last = new Map<bigint, string>()
  return async function watchWaiting(): Promise<void> {
    const waiting = await db
      .select()
      .from(jobs)
      .where(
        and(
          eq(jobs.state, "open"),
          sql`EXISTS (SELECT 1 FROM ${shards} WHERE ${shards.jobId} = ${jobs.jobId} AND ${shards.state} = 'queued')`,
          sql`NOT EXISTS (SELECT 1 FROM ${shards} WHERE ${shards.jobId} = ${jobs.jobId} AND ${shards.state} = 'leased')`,
        ),
      )
      .limit(200)
    const seen = new Set<bigint>()
    for (const job of waiting) {
      const { code, text } = await explainJob(deps, job)
      if (!code.startsWith("JOB_WAITING")) continue
      seen.add(job.jobId)
      if (last.get(job.jobId) === text) continue
      last.set(job.jobId, text)
      await recordEvents(db, [{ code, text, jobId: job.jobId }])
      log.warn({ jobId: formatJobId(job.jobId), code, why: text }, "a job waits and no worker can take it")
    }
    for (const jobId of last.keys()) if (!seen.has(jobId)) last.delete(jobId)
  }
}
