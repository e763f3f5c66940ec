import { setTimeout as sleep } from "node:timers/promises"
import { formatJobId, type JobView, JobViewSchema } from "#protocol"
import type { Coordinator } from "../http/coordinator.ts"

export type JobProgress = Pick<JobView, "state" | "counts" | "reason" | "shards" | "tasks" | "batches">

export type FollowJobParams = {
  jobId: bigint
  /** Called once at first and then whenever something changed. */
  onProgress?: (progress: JobProgress) => void
  pollMs?: number
  signal?: AbortSignal
}

/** Resolves once every shard is final, or the job is closed and nothing of it is under way. */
export async function followJob(coordinator: Coordinator, params: FollowJobParams): Promise<JobView> {
  const { jobId, onProgress, pollMs = 500, signal } = params
  let last = ""
  for (;;) {
    const view = await coordinator.get(`/v1/jobs/${formatJobId(jobId)}`, JobViewSchema, { signal })
    const { state, counts, reason, shards, tasks, batches } = view
    const now = JSON.stringify([state, counts, reason, batches.map((batch) => batch.state)])
    if (now !== last) onProgress?.({ state, counts, reason, shards, tasks, batches })
    last = now
    if (isOver(view)) return view
    await sleep(pollMs, undefined, { signal })
  }
}

/** Nothing of the job will change any more. */
export function isOver({ state, counts, shards }: JobView): boolean {
  if (state === "final" || state === "refunded" || counts.final === shards) return true
  return state === "closed" && counts.leased + counts.received + counts.committed + counts.attested === 0
}
