import { type Refusal, StateError } from "./stateError.ts"
import type { JobState } from "./states.ts"

/** A job from its submission to its refund (R9, R18). Times are chain seconds. */
export type JobStatus = {
  readonly state: JobState
  readonly deadline: number
  /** 0 while it is not closed. */
  readonly closedAt: number
  readonly shards: number
  readonly finalShards: number
  /** Batches that are neither final, withdrawn nor forfeited. */
  readonly openBatches: number
  /** Until when workers may claim shards of ended batches; 0 where none may (R18). */
  readonly claimUntil: number
}

export type JobEvent =
  | { readonly type: "posted" }
  | { readonly type: "closed" }
  | { readonly type: "batchOpened" }
  /** A batch ended: so many of its shards became final, others may be claimed until then (0: none). */
  | { readonly type: "batchEnded"; readonly finalShards: number; readonly claimUntil: number }
  | { readonly type: "refunded" }

export type JobTimes = { readonly maxLease: number; readonly claimPeriod: number }

export function submittedJob({ deadline, shards }: { deadline: number; shards: number }): JobStatus {
  return { state: "submitted", deadline, closedAt: 0, shards, finalShards: 0, openBatches: 0, claimUntil: 0 }
}

export function stepJob(status: JobStatus, event: JobEvent, now: number, times: JobTimes): JobStatus {
  const refusal = refuseJob(status, event, now, times)
  if (refusal !== undefined) throw new StateError(refusal)
  switch (event.type) {
    case "posted":
      return { ...status, state: "open" }
    case "closed":
      return { ...status, state: "closed", closedAt: now }
    case "batchOpened":
      return { ...status, openBatches: status.openBatches + 1 }
    case "batchEnded": {
      const finalShards = status.finalShards + event.finalShards
      const state = finalShards === status.shards ? "final" : status.state
      const claimUntil = Math.max(status.claimUntil, event.claimUntil)
      return { ...status, state, finalShards, openBatches: status.openBatches - 1, claimUntil }
    }
    case "refunded":
      return { ...status, state: "refunded" }
  }
}

/** Why the event cannot be now, or undefined if it can. */
export function refuseJob(status: JobStatus, event: JobEvent, now: number, times: JobTimes): Refusal | undefined {
  if (!ALLOWED[event.type].includes(status.state)) {
    return wrong("R9", `a job that is ${status.state} cannot be ${event.type}`)
  }
  if (event.type === "batchEnded") {
    if (status.openBatches === 0) return wrong("R24a", "no batch of the job is open")
    if (status.finalShards + event.finalShards > status.shards) return wrong("R5", "more final shards than shards")
  }
  if (event.type === "refunded") {
    if (status.openBatches > 0) {
      return { code: "E_STATE_HELD", rule: "R18", message: `${status.openBatches} batches are open` }
    }
    const from = refundableFrom(status, times)
    if (now < from) return { code: "E_STATE_TOO_EARLY", rule: "R18", message: `leases may count until ${from}`, from }
  }
  return undefined
}

/** A lease counts if it starts before this (R18). */
export function leasesEndAt({ deadline, closedAt }: Pick<JobStatus, "deadline" | "closedAt">): number {
  return closedAt === 0 ? deadline : Math.min(deadline, closedAt)
}

/** R18: at once when every shard is final, else when no lease can be committed any more. */
export function refundableFrom(status: JobStatus, { maxLease, claimPeriod }: JobTimes): number {
  if (status.finalShards === status.shards) return 0
  return Math.max(leasesEndAt(status) + maxLease + claimPeriod, status.claimUntil) + 1
}

const ALLOWED: Record<JobEvent["type"], readonly JobState[]> = {
  posted: ["submitted"],
  closed: ["open"],
  batchOpened: ["open", "closed"],
  batchEnded: ["open", "closed"],
  // An open job past its deadline is refunded without having been closed.
  refunded: ["open", "closed", "final"],
}

function wrong(rule: string, message: string): Refusal {
  return { code: "E_STATE_WRONG", rule, message }
}
