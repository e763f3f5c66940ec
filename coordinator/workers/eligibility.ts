import type { Hex } from "viem"
import {
  capabilityOf,
  collateralUp,
  describeCapability,
  formatAmount,
  MEMORY_TIERS,
  type Params,
  type ReasonCode,
  reasonOf,
  type Terms,
} from "#protocol"
import type { Policy } from "../config.ts"
import type { workers } from "../store/schema.ts"
import type { Pair } from "./chainView.ts"

export type WorkerRow = typeof workers.$inferSelect
export type Refused = { code: ReasonCode; text: string }

/** Uncommitted work of one worker with one job. */
export type Backlog = { jobId: bigint; leased: number; received: number; receivedUnits: number }

export function refused(code: ReasonCode, fact?: string): Refused {
  const { text } = reasonOf(code)
  return { code, text: fact ? `${text} (${fact})` : text }
}

/** Every capability that a machine can serve: its profile, at its memory tier or below. */
export function capabilitiesOf(profiles: WorkerRow["profiles"]): Hex[] {
  const served: Hex[] = []
  for (const { profile, memoryGiB, selfTest } of profiles) {
    if (selfTest !== "ok") continue
    for (const tier of MEMORY_TIERS) if (tier <= memoryGiB) served.push(capabilityOf(profile as "exact-cpu-1", tier))
  }
  return served
}

export type WorkerFacts = {
  worker: WorkerRow
  capability: Hex
  /** Whether the session key that it named is registered for it (R8). */
  keyRegistered: boolean
  pair: Pair
  /** The service's clock. */
  at: Date
}

/** Why a worker gets no lease of a capability at all; the first reason is the one to act upon. */
export function refuseWorker({ worker, capability, keyRegistered, pair, at }: WorkerFacts): Refused | undefined {
  if (worker.verifyOnly) return refused("WORKER_VERIFY_ONLY")
  if (!capabilitiesOf(worker.profiles).includes(capability)) {
    const wanted = describeCapability(capability)
    const failed = worker.profiles.some(({ profile, selfTest }) => profile === wanted?.profile && selfTest === "failed")
    return refused(failed ? "WORKER_SELF_TEST" : "WORKER_CAPABILITY")
  }
  if (!keyRegistered) return refused("WORKER_KEY_UNREGISTERED")
  if (worker.cooledUntil && worker.cooledUntil > at) {
    return refused("WORKER_COOLING", `until ${worker.cooledUntil.toISOString()}`)
  }
  if (pair.noticeAt !== 0) return refused("WORKER_NOTICE")
  return undefined
}

export type JobFacts = {
  terms: Terms
  jobId: bigint
  backlog: readonly Backlog[]
  /** Collateral of a range, by job of the backlog. */
  collateralOf: (jobId: bigint) => bigint
  pair: Pair
  params: Params
  policy: Policy
}

/**
 * Why a worker gets no lease of this job. R13: a lease is given only if the worker's free collateral covers the range
 * that it will become, beyond every range that its other uncommitted work will become.
 */
export function refuseJob(facts: JobFacts): Refused | undefined {
  const { terms, jobId, backlog, pair, policy, params } = facts
  const leased = backlog.reduce((sum, job) => sum + job.leased, 0)
  if (leased >= policy.leasesPerWorker) return refused("WORKER_LIMIT", `${leased} leases run`)
  const units = backlog.reduce((sum, job) => sum + job.receivedUnits, 0)
  if (units + terms.shardSize * terms.maxUnits > policy.uncommittedUnitsPerWorker) {
    return refused("WORKER_LIMIT", `${units} units wait for their commit`)
  }
  const own = collateralUp(terms, params)
  const ranges = (shards: number) => BigInt(Math.ceil(shards / policy.batchMaxShards))
  let promised = 0n
  let seen = false
  for (const job of backlog) {
    const collateral = job.jobId === jobId ? own : facts.collateralOf(job.jobId)
    // What is received is committed first; what still runs comes into a later batch, with a range of its own.
    const running = job.leased + (job.jobId === jobId ? 1 : 0)
    promised += collateral * (ranges(job.received) + ranges(running))
    seen ||= job.jobId === jobId
  }
  if (!seen) promised += own
  if (pair.free < promised) return tooLittle(pair.free, promised)
  return undefined
}

export function tooLittle(free: bigint, needed: bigint): Refused {
  return refused("WORKER_COLLATERAL", `free ${formatAmount(free)}, needed ${formatAmount(needed)}`)
}
