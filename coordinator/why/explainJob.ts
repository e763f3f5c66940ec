import type { Params, ReasonCode, ShardCounts } from "#protocol"
import { formatCount, reasonOf } from "#protocol"
import { countShards } from "../jobs/viewJobs.ts"
import type { Db } from "../store/database.ts"
import type { jobs } from "../store/schema.ts"
import type { ChainView } from "../workers/chainView.ts"
import { capabilitiesOf, type Refused, refuseWorker, type WorkerRow } from "../workers/eligibility.ts"
import { onlineWorkers } from "../workers/viewWorkers.ts"

export type JobRow = typeof jobs.$inferSelect
export type Explained = { code: ReasonCode; text: string; rule: string }

export type ExplainJobDeps = {
  db: Db
  view: Pick<ChainView, "pairOf" | "accountOf" | "seatsOf">
  params: Params
  /** Chain time. */
  now: () => number
}

/** Why a job is where it is. Every state has a code; waiting names what it waits for. */
export async function explainJob(deps: ExplainJobDeps, job: JobRow): Promise<Explained> {
  const { db, params, now } = deps
  const late = now() >= job.deadline
  switch (job.state) {
    case "submitted":
      return explained(late ? "JOB_NOT_POSTED" : "JOB_SUBMITTED")
    case "refunded":
      return explained("JOB_REFUNDED")
    case "final":
      return explained("JOB_FINAL")
    case "closed": {
      const counts = await countsOf(db, job.jobId)
      const open = counts.leased + counts.received + counts.committed + counts.attested
      const refundable = open === 0 && now() > (job.closedAt ?? 0) + params.maxLease + params.claimPeriod
      return explained(refundable ? "JOB_REFUNDABLE" : "JOB_CLOSED")
    }
    case "open": {
      const counts = await countsOf(db, job.jobId)
      if (counts.leased > 0) return explained("JOB_RUNNING", `${counts.leased} of ${job.shards} shards now`)
      if (counts.queued === 0) return explained("JOB_SETTLING")
      if (late) {
        const open = counts.received + counts.committed + counts.attested
        const refundable = open === 0 && now() > job.deadline + params.maxLease + params.claimPeriod
        return explained(refundable ? "JOB_REFUNDABLE" : "JOB_DEADLINE")
      }
      return explainWaiting(deps, job)
    }
  }
}

/** R13, R25: shards are queued and nobody computes. */
async function explainWaiting({ db, view, params }: ExplainJobDeps, job: JobRow): Promise<Explained> {
  const { seats, owners } = await view.seatsOf(job.capability)
  if (seats < params.minSeats || owners < params.minOwners) {
    const fact = `${seats} seats of ${owners} owners; needed are ${params.minSeats} of ${params.minOwners}`
    return explained("JOB_WAITING_SEATS", fact)
  }
  const online = await onlineWorkers(db)
  const reasons = new Map<ReasonCode, number>()
  let able = 0
  for (const worker of online) {
    const reason = await refusalOf(view, worker, job)
    if (reason) reasons.set(reason.code, (reasons.get(reason.code) ?? 0) + 1)
    else able++
  }
  if (able > 0) return explained("JOB_RUNNING", `${formatCount(able, "worker")} can take it`)
  const fact = [...reasons].map(([code, workers]) => `${workers} x ${code}`).join(", ")
  const offered = online.some(
    (worker) => !worker.verifyOnly && capabilitiesOf(worker.profiles).includes(job.capability),
  )
  if (!offered) return explained("JOB_WAITING_NO_WORKER", fact || "no worker is online")
  return explained("JOB_WAITING_REFUSED", fact)
}

async function refusalOf(view: ExplainJobDeps["view"], worker: WorkerRow, job: JobRow): Promise<Refused | undefined> {
  const [pair, owner] = await Promise.all([view.pairOf(worker.account), view.accountOf(worker.sessionKey)])
  const general = refuseWorker({
    worker,
    capability: job.capability,
    keyRegistered: owner === worker.account,
    pair,
    at: new Date(),
  })
  // What the lease desk found when it tried this worker last (collateral for this job, limits).
  return general ?? (worker.refused[0] as Refused | undefined)
}

async function countsOf(db: Db, jobId: bigint): Promise<ShardCounts> {
  const counts = await countShards(db, [jobId])
  return counts.get(jobId) ?? { queued: 0, leased: 0, received: 0, committed: 0, attested: 0, final: 0, void: 0 }
}

export function explained(code: ReasonCode, fact?: string): Explained {
  const { text, rule } = reasonOf(code)
  return { code, rule, text: fact ? `${text} (${fact})` : text }
}
