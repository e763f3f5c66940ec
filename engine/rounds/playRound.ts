import { createHash } from "node:crypto"
import type { Tensor } from "#protocol"
import { readModelInterface } from "../model/modelInterface.ts"
import { normalizeModel } from "../program/normalizeModel.ts"
import type { Runner } from "../run/runner.ts"
import { parametersOf, type RoundProgram, type SlotGiven, slotInputs } from "./roundProgram.ts"
import { closingInputsOf, nextOf, nextState, type RoundState, type Tensors } from "./roundState.ts"

export type RoundRuntime = {
  /** The shared tensors that the next round begins with, as every slot must find them. */
  close(state: RoundState): Promise<Tensors>
  /** A slot's task of this round, computed here. */
  play(state: RoundState, given: SlotGiven): Promise<Tensors>
}

/** Rounds on this machine, by the very programs that a job's workers run; each is normalized when it is first needed. */
export function createRoundRuntime({ runner }: { readonly runner: Runner }, program: RoundProgram): RoundRuntime {
  const task = opened(runner, program.model)
  const close = opened(runner, program.closing)
  return {
    async close(state) {
      const found = await close(closingInputsOf(state))
      return Object.fromEntries(program.ports.shared.map((name) => [name, found[nextOf(name)]!]))
    },
    play: async (state, given) => task(await slotInputs(program, state, given)),
  }
}

export type PlayRoundParams = {
  readonly state: RoundState
  readonly rates: readonly number[]
  /** Slots that the round does without. */
  readonly missing?: ReadonlySet<number>
}

/** A whole round here: what a run of one machine, a replay, or a benchmark does. */
export async function playRound(
  runtime: RoundRuntime,
  program: RoundProgram,
  { state, rates, missing = new Set() }: PlayRoundParams,
): Promise<{ state: RoundState; outputs: (Tensors | undefined)[] }> {
  const outputs: (Tensors | undefined)[] = []
  for (let slot = 0; slot < program.slots; slot++) {
    outputs.push(missing.has(slot) ? undefined : await runtime.play(state, { slot, rates }))
  }
  const expected = await runtime.close(state)
  return { state: nextState(program.ports, { state, outputs, expected }), outputs }
}

/** The parameters that a run has come to: what the next round would begin its steps with, float32 [P]. */
export async function closeRun(
  { runner }: { readonly runner: Runner },
  program: RoundProgram,
  state: RoundState,
): Promise<Tensor> {
  const runtime = createRoundRuntime({ runner }, program)
  return parametersOf(program, await runtime.close(state))
}

function opened(runner: Runner, model: Uint8Array): (inputs: Tensors) => Promise<Tensors> {
  let normalized: Promise<Uint8Array> | undefined
  return async (given) => {
    normalized ??= normalizeModel({ runner }, model).then(({ bytes }) => bytes)
    const bytes = await normalized
    const { inputs, outputs } = readModelInterface(bytes)
    const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
    await runner.load(bytes, sha256)
    const results = await runner.run(
      sha256,
      inputs.map(({ name }) => given[name]!),
    )
    return Object.fromEntries(outputs.map(({ name }, i): [string, Tensor] => [name, results[i]!]))
  }
}
