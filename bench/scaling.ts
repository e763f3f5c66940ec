import {
  buildRoundProgram,
  buildSegment,
  createRoundRuntime,
  createRunner,
  initialState,
  nextState,
  parametersOf,
  type RoundProgram,
  type RoundRuntime,
  type RoundState,
  type Runner,
  sentBytes,
  type Tensors,
} from "#engine"
import { drawAdditions } from "../examples/adder/sums.ts"
import { SAMPLES } from "../examples/adder/training.ts"
import { adderOf, lossOn } from "./adderRuns.ts"
import type { Figure } from "./figure.ts"
import { createLink } from "./link.ts"

/**
 * How long it takes to a loss with 1, 2, 4 and 8 workers who share out the same 512 samples a step, each of them on a link
 * of 60 Mbit/s and 100 ms. Computing is
 * measured, one slot after the other on this machine's cores; the links are simulated, and so is the clock: in a round
 * every worker computes at the same time, sends its update up its link, and the updates of all others come down it.
 */
export async function scaling(): Promise<Figure[]> {
  const runner = createRunner()
  try {
    const figures: Figure[] = []
    for (const steps of STEPS) {
      const times: number[] = []
      for (const workers of WORKERS) {
        const { seconds, communicating, rounds } = await timeToLoss(runner, { workers, steps })
        times.push(seconds)
        figures.push({
          name: `scaling, ${workers} ${workers === 1 ? "worker" : "workers"}, int4 every ${steps} steps`,
          value: seconds,
          unit: `simulated seconds to a held-out loss of ${TARGET}, in ${rounds} rounds; ${(100 * communicating).toFixed(0)} % of it communicating`,
          against: `one worker, ${times[0]!.toFixed(1)} s`,
          ratio: seconds / times[0]!,
        })
      }
    }
    return figures
  } finally {
    await runner.close()
  }
}

const WORKERS = [1, 2, 4, 8]
const BATCH = 512
const STEPS = [25, 100]
const TARGET = 0.1
const MOST_STEPS = 3_000
const WARM_UP = 100
/** Held from then on: a rate that falls to an end would tell when to stop. */
const RATE = 3e-3
const LINK = { bitsPerSecond: 60e6, latency: 0.1 }
const HELD_OUT = 1_000
const SEED = 21

type Timed = { readonly seconds: number; readonly communicating: number; readonly rounds: number }

async function timeToLoss(runner: Runner, { workers, steps }: { workers: number; steps: number }): Promise<Timed> {
  const training = adderOf(SEED, BATCH / workers)
  const segment = buildSegment(training, steps)
  const [begin] = initialState(segment, training.model)
  const outer = workers === 1 ? { rate: 1, momentum: 0 } : { rate: 0.7, momentum: 0.6 }
  const program = buildRoundProgram({ segment, begin: begin!, slots: workers, compression: "int4", outer })
  const runtime = createRoundRuntime({ runner }, program)
  const held = drawAdditions(SAMPLES.train, HELD_OUT)
  const update = sentBytes(program)
  const exchange = createExchange(workers, update)
  let state = program.genesis
  let computing = 0
  let now = 0
  for (let round = 0; round * steps < MOST_STEPS; round++) {
    const rates = Array.from({ length: steps }, (_, i) => RATE * Math.min(1, (round * steps + i + 1) / WARM_UP))
    const played = await timedRound(runtime, program, { state, rates })
    state = played.state
    computing += Math.max(...played.seconds)
    now = workers === 1 ? now + played.seconds[0]! : exchange(played.seconds.map((own) => now + own))
    const p = parametersOf(program, await runtime.close(state))
    if ((await lossOn(runner, segment.parameters, p, held)) <= TARGET) {
      return { seconds: now, communicating: 1 - computing / now, rounds: round + 1 }
    }
  }
  throw new Error(`${workers} workers did not come to a loss of ${TARGET} in ${MOST_STEPS} steps`)
}

/** Every worker's update to all others, from when each is ready. @returns when the last one has what it needs */
function createExchange(workers: number, bytes: number): (ready: readonly number[]) => number {
  const links = () => Array.from({ length: workers }, () => createLink(LINK))
  const [up, down] = [links(), links()]
  return (ready) => {
    const sent = ready.map((at, from) => ({ from, at: up[from]!.carry(bytes, at) })).sort((a, b) => a.at - b.at)
    const arrived = down.flatMap((link, to) =>
      sent.filter(({ from }) => from !== to).map(({ at }) => link.carry(bytes, at)),
    )
    return Math.max(...ready, ...arrived)
  }
}

/** A round as `playRound` plays it, and how long each slot took: a slot's first task, which loads the program, apart. */
async function timedRound(
  runtime: RoundRuntime,
  program: RoundProgram,
  { state, rates }: { state: RoundState; rates: readonly number[] },
): Promise<{ state: RoundState; seconds: number[] }> {
  if (state.round === 0) await runtime.play(state, { slot: 0, rates })
  const outputs: Tensors[] = []
  const seconds: number[] = []
  for (let slot = 0; slot < program.slots; slot++) {
    const start = performance.now()
    outputs.push(await runtime.play(state, { slot, rates }))
    seconds.push((performance.now() - start) / 1000)
  }
  const expected = await runtime.close(state)
  return { state: nextState(program.ports, { state, outputs, expected }), seconds }
}
