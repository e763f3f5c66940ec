import { type Address, isAddressEqual } from "viem"
import { type Refusal, StateError } from "./stateError.ts"
import type { ShardState } from "./states.ts"

/** One shard from the queue to its pay (R14 to R18). Times are chain seconds. */
export type ShardStatus = {
  readonly state: ShardState
  /** Who leased, computed or may reclaim it. */
  readonly worker?: Address
  readonly leaseExpiry: number
  /** No lease may start earlier: two that overlap would be equivocation (R14). */
  readonly availableAt: number
  readonly batchId?: bigint
  /** While void by the coordinator's fault: until when only its worker may commit it (R18). */
  readonly reservedUntil: number
}

/** A worker that lost its own batch has nobody to be protected from: its shards are free at once (R18). */
export type CommittedBy = "coordinator" | "worker"
export type VoidCause = "worker" | "coordinator" | "nobody"

export type ShardEvent =
  | { readonly type: "leased"; readonly worker: Address; readonly start: number; readonly expiry: number }
  | { readonly type: "expired" }
  | { readonly type: "released"; readonly worker: Address }
  | { readonly type: "received"; readonly worker: Address }
  | { readonly type: "committed"; readonly batchId: bigint; readonly worker: Address }
  | { readonly type: "attested" }
  | { readonly type: "finalized" }
  | { readonly type: "voided"; readonly cause: VoidCause; readonly by: CommittedBy }
  /** Its batch was withdrawn or forfeited, or finalized without its range. */
  | { readonly type: "unbound"; readonly by: CommittedBy }
  /** The claim period is over and nobody claimed it. */
  | { readonly type: "unreserved" }

export type ShardTimes = { readonly claimPeriod: number; readonly maxLease: number }

export const QUEUED_SHARD: ShardStatus = { state: "queued", leaseExpiry: 0, availableAt: 0, reservedUntil: 0 }

export function stepShard(status: ShardStatus, event: ShardEvent, now: number, times: ShardTimes): ShardStatus {
  const refusal = refuseShard(status, event, now, times)
  if (refusal !== undefined) throw new StateError(refusal)
  switch (event.type) {
    case "leased":
      return { ...status, state: "leased", worker: event.worker, leaseExpiry: event.expiry, availableAt: event.expiry }
    case "expired":
      return { ...QUEUED_SHARD, availableAt: status.availableAt }
    case "released":
      return { ...QUEUED_SHARD, availableAt: now }
    case "received":
      return { ...status, state: "received" }
    case "committed":
      return { ...status, state: "committed", worker: event.worker, batchId: event.batchId, reservedUntil: 0 }
    case "attested":
      return { ...status, state: "attested" }
    case "finalized":
      return { ...status, state: "final" }
    case "voided":
      // By the coordinator's fault it stays marked for its worker; the claim period runs from the batch's end (R18).
      if (event.cause === "coordinator" && event.by === "coordinator") return status
      return { ...QUEUED_SHARD, availableAt: status.availableAt }
    case "unbound":
      if (event.by === "coordinator") return reserve(status, now, times)
      return { ...QUEUED_SHARD, availableAt: status.availableAt }
    case "unreserved":
      return { ...QUEUED_SHARD, availableAt: status.availableAt }
  }
}

/** Why the event cannot be now, or undefined if it can. */
export function refuseShard(
  status: ShardStatus,
  event: ShardEvent,
  now: number,
  times: ShardTimes,
): Refusal | undefined {
  if (!ALLOWED[event.type].includes(status.state)) {
    return wrong("R24a", `a shard that is ${status.state} cannot be ${event.type}`)
  }
  switch (event.type) {
    case "leased":
      if (event.start < status.availableAt) {
        return tooEarly("R14", `the last lease runs until ${status.availableAt}`, status.availableAt)
      }
      if (event.expiry <= event.start || event.expiry - event.start > times.maxLease) {
        return wrong("R14", `a lease of ${event.expiry - event.start} s; at most ${times.maxLease} s`)
      }
      return undefined
    case "expired":
      return now > status.leaseExpiry ? undefined : tooEarly("R14", "the lease still runs", status.leaseExpiry + 1)
    case "released":
    case "received":
      return notYours(status, event.worker)
    case "committed":
      // A void shard is its worker's alone until the claim period ends (R18).
      return status.state === "void" ? notYours(status, event.worker) : undefined
    case "unreserved":
      return now > status.reservedUntil
        ? undefined
        : tooEarly("R18", "only its worker may commit it", status.reservedUntil + 1)
    default:
      return undefined
  }
}

const ALLOWED: Record<ShardEvent["type"], readonly ShardState[]> = {
  leased: ["queued"],
  expired: ["leased"],
  released: ["leased"],
  received: ["leased"],
  // By a worker itself a leased shard can be committed without any word to the coordinator (R18).
  committed: ["received", "leased", "queued", "void"],
  attested: ["committed"],
  finalized: ["attested"],
  voided: ["committed", "attested"],
  unbound: ["committed", "attested"],
  unreserved: ["void"],
}

function reserve(status: ShardStatus, now: number, { claimPeriod }: ShardTimes): ShardStatus {
  const { batchId: _, ...rest } = status
  return { ...rest, state: "void", reservedUntil: now + claimPeriod }
}

function notYours(status: ShardStatus, worker: Address): Refusal | undefined {
  if (status.worker !== undefined && isAddressEqual(status.worker, worker)) return undefined
  return { code: "E_STATE_NOT_YOURS", rule: "R18", message: `the shard is ${status.worker}'s, not ${worker}'s` }
}

function tooEarly(rule: string, message: string, from: number): Refusal {
  return { code: "E_STATE_TOO_EARLY", rule, message, from }
}

function wrong(rule: string, message: string): Refusal {
  return { code: "E_STATE_WRONG", rule, message }
}
