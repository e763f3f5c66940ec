import {
  buildRoundProgram,
  buildSegment,
  closeRun,
  cosineRates,
  createRoundRuntime,
  createRunner,
  elementsOf,
  initialState,
  nextState,
  type OuterOptimizer,
  type Runner,
  type Tensors,
} from "#engine"
import type { Tensor } from "#protocol"
import { drawAdditions } from "../examples/adder/sums.ts"
import { BATCH, SAMPLES, SCHEDULE } from "../examples/adder/training.ts"
import { adderOf, lossOn } from "./adderRuns.ts"
import type { Figure } from "./figure.ts"

/**
 * What a made-up update does that no audit draws: one of four slots sends codes of noise with scales of 1 in every
 * round, and each way of aggregating goes on with them. Beside it the same rounds with that slot honest.
 */
export async function poison(): Promise<Figure[]> {
  const runner = createRunner()
  try {
    const honest = await lossOf(runner, OUTER, false)
    const figures: Figure[] = []
    for (const [name, outer] of Object.entries(WAYS)) {
      const unharmed = name === "mean" ? honest : await lossOf(runner, outer, false)
      figures.push(figure(`${name}, all honest`, unharmed, honest))
      figures.push(figure(`${name}, one of ${SLOTS} made up`, await lossOf(runner, outer, true), honest))
    }
    return figures
  } finally {
    await runner.close()
  }
}

const SLOTS = 4
const STEPS = 25
const ROUNDS = 30
const OUTER = { rate: 0.7, momentum: 0.6 }
const WAYS: Readonly<Record<string, OuterOptimizer>> = {
  mean: OUTER,
  "trimmed mean": { ...OUTER, trim: 1 },
  "clipped to 1": { ...OUTER, clipNorm: 1 },
}
const HELD = 2_000

function figure(name: string, loss: number, honest: number): Figure {
  const against = "the mean of honest slots, same run, same rounds; loss on what nobody trained on"
  return { name: `poison, ${name}`, value: loss, unit: "loss", against, ratio: loss / honest }
}

async function lossOf(runner: Runner, outer: OuterOptimizer, isPoisoned: boolean): Promise<number> {
  const training = adderOf(1, BATCH)
  const segment = buildSegment(training, STEPS)
  const [begin] = initialState(segment, training.model)
  const program = buildRoundProgram({ segment, begin: begin!, slots: SLOTS, compression: "int4", outer })
  const runtime = createRoundRuntime({ runner }, program)
  const schedule = { peak: 3e-3, warmUp: SCHEDULE.warmUp, total: ROUNDS * STEPS }
  let state = program.genesis
  for (let round = 0; round < ROUNDS; round++) {
    const rates = [...(elementsOf(cosineRates(schedule, round * STEPS, STEPS)) as Float32Array)]
    const outputs: Tensors[] = []
    for (let slot = 0; slot < SLOTS; slot++) outputs.push(await runtime.play(state, { slot, rates }))
    if (isPoisoned) outputs.push(noise(outputs.pop()!, round))
    state = nextState(program.ports, { state, outputs, expected: await runtime.close(state) })
  }
  const p = await closeRun({ runner }, program, state)
  return lossOn(runner, segment.parameters, p, drawAdditions(SAMPLES.train, HELD))
}

function noise(outputs: Tensors, round: number): Tensors {
  const { codes_next: codes, scales_next: scales } = outputs as Record<string, Tensor>
  return {
    ...outputs,
    codes_next: { ...codes!, data: codes!.data.map((_, i) => ((i + round) * 2_654_435_761) >>> 24) },
    scales_next: {
      ...scales!,
      data: new Uint8Array(new Float32Array(scales!.data.length / 4).fill(1).buffer),
    },
  }
}
