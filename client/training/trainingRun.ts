import type { Hex } from "viem"
import type { RoundState } from "#engine"

/** One slot's task of a round, as its leaf says. */
export type SlotRecord = {
  readonly worker: Hex
  readonly outputCommitment: Hex
  /** One a step. */
  readonly losses: readonly number[]
}

export type RoundRecord = {
  readonly round: number
  readonly jobId: bigint
  readonly tx: Hex
  readonly escrow: bigint
  readonly rates: readonly number[]
  /** By slot; null where the round did without it (R33). */
  readonly slots: readonly (SlotRecord | null)[]
  /** Nobody can dispute anything of it any more. */
  readonly final: boolean
  /** What the round began with. Kept until the round is final, for a late finding goes back to it (R35). */
  readonly began?: RoundState
}

/** A round's job that is under way, or about to be: it is written down before it is posted. */
export type PostedRound = Pick<RoundRecord, "round" | "jobId" | "escrow"> & {
  readonly nonce: bigint
  /** Chain time in seconds. */
  readonly deadline: bigint
  /** Unix time in seconds. */
  readonly postedAt: number
  /** Not there until it is seen. */
  readonly tx?: Hex
}

/** A run of training so far: whoever keeps it can go on from here. */
export type TrainingRun = {
  readonly rounds: readonly RoundRecord[]
  /** Of the next round, where it is posted and not used yet: it is waited for, not posted and paid again. */
  readonly posted?: PostedRound
  /** What the next round begins with. */
  readonly state: RoundState
  /** Under which the ModelRegistry knows the model that comes of it. */
  readonly modelId?: Hex
}

export function beginRun(genesis: RoundState): TrainingRun {
  return { rounds: [], state: genesis }
}

export function withPosted(run: TrainingRun, posted: PostedRound): TrainingRun {
  return { ...run, posted }
}

export function withRound(run: TrainingRun, record: RoundRecord, state: RoundState): TrainingRun {
  const { posted: _, ...rest } = run
  return { ...rest, rounds: [...run.rounds, record], state }
}

/** Back to before a round: it and those after it are to be played again. @throws where its beginning was not kept */
export function withoutRoundsFrom(run: TrainingRun, round: number): TrainingRun {
  const state = run.rounds[round]?.began
  if (!state) throw new Error(`what round ${round} began with was not kept`)
  const { posted: _, ...rest } = run
  return { ...rest, rounds: run.rounds.slice(0, round), state }
}

export function withFinal(run: TrainingRun, round: number): TrainingRun {
  const rounds = run.rounds.map((record) => {
    if (record.round !== round) return record
    const { began: _, ...rest } = record
    return { ...rest, final: true }
  })
  return { ...run, rounds }
}

/** Mean over all steps of all slots that are in; NaN where there is none. */
export function meanLoss({ slots }: Pick<RoundRecord, "slots">): number {
  const losses = slots.flatMap((slot) => slot?.losses ?? [])
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** Steps that each account is credited with: those of final rounds, which nothing takes back. */
export function contributions(run: TrainingRun): Map<Hex, number> {
  const steps = new Map<Hex, number>()
  for (const { slots, final } of run.rounds) {
    if (!final) continue
    for (const slot of slots) {
      if (slot) steps.set(slot.worker, (steps.get(slot.worker) ?? 0) + slot.losses.length)
    }
  }
  return steps
}
