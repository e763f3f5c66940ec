import { type Refusal, StateError } from "./stateError.ts"
import type { BatchState } from "./states.ts"

/**
 * One batch through R24a. Times are chain seconds; what the contract decides by block (does the seed exist?) comes in
 * as a fact of the event. The contract is the judge: this machine predicts it, replays its log and refuses what it
 * would refuse.
 */
export type BatchStatus = {
  readonly state: BatchState
  /** Until it is attested: the last second to attest. From then on: the last second of the window. */
  readonly clock: number
  readonly ranges: number
  /** One bit a range. */
  readonly voided: bigint
  /** Ranges that ever had a dispute. */
  readonly frozen: bigint
  readonly silent: bigint
  /** Open demands and disputes: nothing ends while one is open. */
  readonly held: number
}

export type BatchEvent =
  | { readonly type: "committed"; readonly ranges: number }
  | { readonly type: "withdrawn"; readonly seedExists: boolean }
  | { readonly type: "drawn" }
  | { readonly type: "attested"; readonly silent: bigint }
  | { readonly type: "finalized" }
  | { readonly type: "forfeited" }
  | { readonly type: "held" }
  /** A demand or dispute ended; an answer lengthens the window, so that it can be looked at before pay moves. */
  | { readonly type: "dropped"; readonly until: number }
  /** A mismatch was posted: the range is frozen and the batch held until the dispute drops it. */
  | { readonly type: "rangeFrozen"; readonly range: number }
  | { readonly type: "rangeVoided"; readonly range: number }

export type BatchTimes = { readonly attestLimit: number; readonly window: number }

export const PLANNED_BATCH: BatchStatus = {
  state: "planned",
  clock: 0,
  ranges: 0,
  voided: 0n,
  frozen: 0n,
  silent: 0n,
  held: 0,
}

export function stepBatch(status: BatchStatus, event: BatchEvent, now: number, times: BatchTimes): BatchStatus {
  const refusal = refuseBatch(status, event, now)
  if (refusal !== undefined) throw new StateError(refusal)
  switch (event.type) {
    case "committed":
      return { ...status, state: "committed", clock: now + times.attestLimit, ranges: event.ranges }
    case "withdrawn":
      return { ...status, state: "withdrawn" }
    case "drawn":
      return { ...status, state: "drawn" }
    case "attested":
      return { ...status, state: "attested", clock: now + times.window, silent: event.silent }
    case "finalized":
      return { ...status, state: "final" }
    case "forfeited":
      return { ...status, state: "forfeited" }
    case "held":
      return { ...status, held: status.held + 1 }
    case "dropped":
      return { ...status, held: status.held - 1, clock: lengthened(status, event.until) }
    case "rangeFrozen":
      return { ...status, frozen: status.frozen | bit(event.range), held: status.held + 1 }
    case "rangeVoided":
      return { ...status, voided: status.voided | bit(event.range) }
  }
}

/** Why the event cannot be now, or undefined if it can. */
export function refuseBatch(status: BatchStatus, event: BatchEvent, now: number): Refusal | undefined {
  const from = ALLOWED[event.type]
  if (!from.includes(status.state)) {
    return wrong("R24a", `a batch that is ${status.state} cannot be ${event.type}`)
  }
  switch (event.type) {
    case "withdrawn":
      if (event.seedExists) return wrong("R17", "the seed exists: a batch cannot be withdrawn once it can be drawn")
      return undefined
    case "attested":
      if (now <= status.clock) return undefined
      return { code: "E_STATE_TOO_LATE", rule: "R24a", message: `attesting ended at ${status.clock}` }
    case "forfeited":
      return heldBy(status) ?? tooEarly(now, status.clock, "R24a", "the attest limit runs")
    case "finalized":
      return heldBy(status) ?? tooEarly(now, status.clock, "R30", "the window is open")
    case "dropped":
      return status.held > 0 ? undefined : wrong("R30", "nothing holds this batch")
    case "rangeFrozen":
    case "rangeVoided":
      return refuseRange(status, event.range)
    default:
      return undefined
  }
}

/** Ranges that finalize pays: neither voided nor silent. */
export function paidRanges({ ranges, voided, silent }: Pick<BatchStatus, "ranges" | "voided" | "silent">): bigint {
  return (bit(ranges) - 1n) & ~voided & ~silent
}

const ALIVE: readonly BatchState[] = ["committed", "drawn", "attested"]
const ALLOWED: Record<BatchEvent["type"], readonly BatchState[]> = {
  committed: ["planned"],
  withdrawn: ["committed"],
  drawn: ["committed"],
  // Attest draws by itself where nobody has drawn before (R19).
  attested: ["committed", "drawn"],
  finalized: ["attested"],
  forfeited: ["committed", "drawn"],
  held: ALIVE,
  dropped: ALIVE,
  rangeFrozen: ALIVE,
  rangeVoided: ALIVE,
}

function refuseRange({ ranges }: BatchStatus, range: number): Refusal | undefined {
  if (range >= 0 && range < ranges) return undefined
  return wrong("R5", `range ${range} of a batch of ${ranges}`)
}

function lengthened({ state, clock }: BatchStatus, until: number): number {
  return state === "attested" ? Math.max(clock, until) : clock
}

function heldBy({ held }: BatchStatus): Refusal | undefined {
  if (held === 0) return undefined
  return { code: "E_STATE_HELD", rule: "R30", message: `${held} demands or disputes are open` }
}

/** Limits are over when the clock is past them, not at them. */
function tooEarly(now: number, until: number, rule: string, what: string): Refusal | undefined {
  if (now > until) return undefined
  return { code: "E_STATE_TOO_EARLY", rule, message: `${what} until ${until}`, from: until + 1 }
}

function wrong(rule: string, message: string): Refusal {
  return { code: "E_STATE_WRONG", rule, message }
}

function bit(index: number): bigint {
  return 1n << BigInt(index)
}
