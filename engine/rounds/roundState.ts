import type { Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { elementsOf, floats } from "../program/elements.ts"

/**
 * Which tensors of a round's program are what, by input name. A result that goes into the next round under the same
 * name is put out as `nextOf(name)`.
 */
export type RoundPorts = {
  /** The same for every slot: parameters and outer momentum. Each slot computes the next ones from what was gathered. */
  readonly shared: readonly string[]
  /** What each slot sends to all; they take it stacked, slot by slot. */
  readonly gathered: readonly string[]
  /** What a slot keeps for itself: the rest of error feedback, moments, its place in the data. */
  readonly own: readonly string[]
}

/** Everything that the next round begins with. */
export type RoundState = {
  readonly round: number
  readonly shared: Tensors
  /** Dims [slots, ...]. */
  readonly gathered: Tensors
  /** Whose update is in what was gathered (R33). */
  readonly included: readonly boolean[]
  /** One a slot. */
  readonly own: readonly Tensors[]
}

export type Tensors = Readonly<Record<string, Tensor>>

export const nextOf = (name: string): string => `${name}_next`

/** The inputs of a slot's task in this round but those that the round's schedule gives. */
export function inputsOf(state: RoundState, slot: number): Tensors {
  return { ...closingInputsOf(state), ...state.own[slot]! }
}

/** What the next shared tensors are made of. `weights`, float32 [slots]: 1 for an update that is in, else 0. */
export function closingInputsOf({ shared, gathered, included }: RoundState): Tensors {
  return { ...shared, ...gathered, weights: floats([included.length], included.map(Number)) }
}

export type CheckSlotParams = {
  readonly round: number
  readonly slot: number
  readonly outputs: Tensors
  /** The next shared tensors as whoever asks has computed them. */
  readonly expected: Tensors
}

/**
 * R34: a slot that computed other shared tensors than follow has not done its work.
 * @throws E_ROUND_STATE naming slot and tensor; E_ROUND_LOSS naming slot and step where a loss is NaN or infinite
 */
export function checkSlot(ports: RoundPorts, { round, slot, outputs, expected }: CheckSlotParams): void {
  for (const name of ports.shared) {
    if (Buffer.compare(outputs[nextOf(name)]!.data, expected[name]!.data) === 0) continue
    throw engineError("E_ROUND_STATE", `slot ${slot} of round ${round} put out another '${name}' than follows`, {
      remedy: "dispute its task: the contract computes the number that is wrong",
    })
  }
  // After that: what a slot made up stops nobody, its own work does.
  const bad = [...(elementsOf(outputs.losses!) as Float32Array)].findIndex((loss) => !Number.isFinite(loss))
  if (bad < 0) return
  throw engineError("E_ROUND_LOSS", `the loss is no number in step ${bad} of slot ${slot} in round ${round}`, {
    remedy: "go on from the last state with a lower learning rate, or look at the data of that step",
  })
}

export type NextStateParams = {
  readonly state: RoundState
  /** One a slot; undefined where the round did without it. At least one is there. */
  readonly outputs: readonly (Tensors | undefined)[]
  readonly expected: Tensors
}

/**
 * What the next round begins with, from what the slots put out, each checked before. A slot that was not waited for
 * begins its round again, from the parameters that the others came to.
 */
export function nextState(ports: RoundPorts, { state, outputs, expected }: NextStateParams): RoundState {
  const next = (tensors: Tensors, names: readonly string[]): Tensors =>
    Object.fromEntries(names.map((name) => [name, tensors[nextOf(name)]!]))
  outputs.forEach((tensors, slot) => {
    if (tensors) checkSlot(ports, { round: state.round, slot, outputs: tensors, expected })
  })
  return {
    round: state.round + 1,
    shared: expected,
    gathered: Object.fromEntries(
      ports.gathered.map((name) => [name, stack(outputs.map((tensors) => tensors?.[nextOf(name)]))]),
    ),
    included: outputs.map((tensors) => tensors !== undefined),
    own: outputs.map((tensors, slot) => (tensors ? next(tensors, ports.own) : state.own[slot]!)),
  }
}

/** Tensors of one dtype and dims, as one with a dim more in front; zeros for those that are not there. */
function stack(tensors: readonly (Tensor | undefined)[]): Tensor {
  const { dtype, dims, data } = tensors.find((tensor) => tensor !== undefined)!
  return {
    dtype,
    dims: [tensors.length, ...dims],
    data: new Uint8Array(Buffer.concat(tensors.map((tensor) => tensor?.data ?? new Uint8Array(data.length)))),
  }
}
