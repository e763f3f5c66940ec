import { beginRun } from "#client"
import { buildRoundProgram, createRoundRuntime, playRound, type RoundState, type Runner } from "#engine"
import { quadraticSegment } from "../../../engine/rounds/support/quadratic.ts"

export const SIZE = 200
export const SLOTS = 4
export const STEPS = 3

const points = Array.from({ length: SLOTS }, (_, slot) =>
  Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i * (slot + 1)) + slot),
)

/** A run whose rounds take milliseconds to compute. */
export const program = buildRoundProgram({
  ...quadraticSegment({ points, steps: STEPS, begin: new Float32Array(SIZE).fill(5) }),
  slots: SLOTS,
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.5 },
})

export const smallRun = {
  program,
  rateOf: (step: number) => 0.1 / (1 + step),
  title: "a run",
  fee: 10n ** 16n,
  auditRate: 2_000,
  run: beginRun(program.genesis),
} as const

/** The state that the same rounds come to on one machine. */
export async function playedAlone(runner: Runner, rounds: number): Promise<RoundState> {
  const runtime = createRoundRuntime({ runner }, program)
  let state = program.genesis
  for (let round = 0; round < rounds; round++) {
    const rates = Array.from({ length: STEPS }, (_, step) => Math.fround(smallRun.rateOf(round * STEPS + step)))
    ;({ state } = await playRound(runtime, program, { state, rates }))
  }
  return state
}
