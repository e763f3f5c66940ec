import {
  buildRoundProgram,
  buildSegment,
  type Compression,
  closeRun,
  codeBytes,
  cosineRates,
  createRoundRuntime,
  createRunner,
  elementsOf,
  initialState,
  type OuterOptimizer,
  type Parameter,
  playRound,
  type Runner,
  trainAlone,
} from "#engine"
import type { Tensor } from "#protocol"
import { exactMatches } from "../examples/adder/exactMatches.ts"
import { adderModel } from "../examples/adder/network.ts"
import { drawAdditions } from "../examples/adder/sums.ts"
import { BATCH, SAMPLES, SCHEDULE } from "../examples/adder/training.ts"
import { adderOf, lossOn } from "./adderRuns.ts"
import type { Figure } from "./figure.ts"

/**
 * What workers have to send one another, and what it costs in loss: the adder by four slots that exchange compressed
 * updates every 25 steps, against one worker that sees all four batches in every step, which is what a float32
 * all-reduce each step computes. The rounds run the very program that a job's workers run, on this machine. Counted is
 * what must be exchanged; the market's own path carries more (`docs/training.md`).
 *
 * One configuration, fixed beforehand; the baseline's learning rate is chosen on seeds of its own.
 */
export async function traffic(): Promise<Figure[]> {
  const runner = createRunner()
  try {
    const peak = await tunedPeak(runner)
    const baselines: Result[] = []
    const results: Result[] = []
    for (const seed of SEEDS) {
      baselines.push(await alone(runner, { seed, peak }))
      results.push(await together(runner, { seed, ...PLAN }))
    }
    return figuresOf(PLAN, { results, baselines, peak })
  } finally {
    await runner.close()
  }
}

const SLOTS = 4
const STEPS = 25
const ROUNDS = 60
const SEEDS = [11, 12, 13, 14, 15, 16, 17, 18]
const TUNING_SEEDS = [5, 6, 7]
const PEAKS = [1.5e-3, 3e-3, 6e-3]
const WARM_UP = SCHEDULE.warmUp
const LOSS_SAMPLES = 4_000

type Plan = { readonly compression: Compression; readonly outer: OuterOptimizer; readonly peak: number }
const PLAN: Plan = { compression: "int4", outer: { rate: 0.7, momentum: 0.6 }, peak: 3e-3 }

/** Mean cross-entropy a digit on additions that nobody trained on, and the share of them that are wholly right. */
type Result = { readonly loss: number; readonly exact: number }

/** The rate whose worst seed is best: a baseline that some seed does not get through would fake a pass. */
async function tunedPeak(runner: Runner): Promise<number> {
  const tried: { peak: number; worst: number }[] = []
  for (const peak of PEAKS) {
    const losses: number[] = []
    for (const seed of TUNING_SEEDS) losses.push((await alone(runner, { seed, peak })).loss)
    tried.push({ peak, worst: Math.max(...losses) })
  }
  return tried.sort((a, b) => a.worst - b.worst)[0]!.peak
}

/** One worker, all slots' batches in each step, nothing compressed. */
async function alone(runner: Runner, { seed, peak }: { seed: number; peak: number }): Promise<Result> {
  const training = adderOf(seed, SLOTS * BATCH)
  const segment = buildSegment(training, STEPS)
  const rates = elementsOf(cosineRates({ peak, warmUp: WARM_UP, total: ROUNDS * STEPS }, 0, ROUNDS * STEPS))
  const rateOf = (step: number) => (rates as Float32Array)[step]!
  const { p } = await trainAlone({ runner }, { segment, model: training.model, segments: ROUNDS, rateOf })
  return judge(runner, segment.parameters, p)
}

async function together(runner: Runner, { seed, compression, outer, peak }: Plan & { seed: number }): Promise<Result> {
  const training = adderOf(seed, BATCH)
  const segment = buildSegment(training, STEPS)
  const [begin] = initialState(segment, training.model)
  const program = buildRoundProgram({ segment, begin: begin!, slots: SLOTS, compression, outer })
  const runtime = createRoundRuntime({ runner }, program)
  let state = program.genesis
  for (let round = 0; round < ROUNDS; round++) {
    const rates = elementsOf(cosineRates({ peak, warmUp: WARM_UP, total: ROUNDS * STEPS }, round * STEPS, STEPS))
    ;({ state } = await playRound(runtime, program, { state, rates: [...(rates as Float32Array)] }))
  }
  return judge(runner, segment.parameters, await closeRun({ runner }, program, state))
}

async function judge(runner: Runner, parameters: readonly Parameter[], p: Tensor): Promise<Result> {
  const held = drawAdditions(SAMPLES.train, LOSS_SAMPLES)
  const exact = (await exactMatches({ runner }, parameters, p, held)) / held.length
  return { exact, loss: await lossOn(runner, parameters, p, held) }
}

function figuresOf(
  { compression, peak: own }: Plan,
  { results, baselines, peak }: { results: readonly Result[]; baselines: readonly Result[]; peak: number },
): Figure[] {
  const parameters = (initialState(buildSegment(adderOf(0, 1), 1), adderModel(1))[0] as Tensor).dims[0]!
  const update = codeBytes(compression, Math.ceil(parameters / 128))
  // A slot sends its update and takes those of all others; a ring all-reduce moves 2 (n - 1) / n of the gradient each way.
  const sent = update + (SLOTS - 1) * update
  const ring = 2 * ((2 * (SLOTS - 1)) / SLOTS) * 4 * parameters * STEPS
  const ratios = results.map(({ loss }, i) => loss / baselines[i]!.loss)
  const { mean, low, high } = interval(ratios)
  const worst = Math.min(...results.map(({ exact }) => exact))
  const name = `traffic, ${compression} every ${STEPS} steps, ${SLOTS} slots`
  return [
    {
      name,
      value: sent,
      unit: "bytes a worker and round, both ways",
      against: `float32 ring all-reduce each step, ${ring} bytes: ${(ring / sent).toFixed(0)} times less; goal 100`,
      ratio: ring / sent / 100,
    },
    {
      name: `${name}: held-out loss after ${ROUNDS * STEPS} steps`,
      value: mean,
      unit: `times the baseline's (95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}, ${SEEDS.length} seeds)`,
      against: `one worker, batch ${SLOTS * BATCH}, peak rate ${peak} of ${PEAKS.join(", ")} (here ${own}); goal at most 1.01`,
      ratio: mean / 1.01,
    },
    {
      name: `${name}: exact match, worst seed`,
      value: worst,
      unit: "of unseen sums",
      against: `baseline's worst ${Math.min(...baselines.map(({ exact }) => exact))}; goal 0.99`,
      ratio: worst / 0.99,
    },
  ]
}

/** Two-sided 97.5 % quantile of Student's t with seven degrees of freedom. */
const T_7 = 2.365

function interval(values: readonly number[]): { mean: number; low: number; high: number } {
  const logs = values.map(Math.log)
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1)
  const half = T_7 * Math.sqrt(variance / logs.length)
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) }
}
