import {
  buildRoundProgram,
  buildSegment,
  type Compression,
  closeRun,
  cosineRates,
  createRoundRuntime,
  createRunner,
  elementsOf,
  initialState,
  type Parameter,
  playRound,
  type Runner,
  type SlotState,
  sentBytes,
  type Training,
  trainAlone,
} from "#engine"
import type { Tensor } from "#protocol"
import { exactMatches } from "../examples/adder/exactMatches.ts"
import { drawAdditions } from "../examples/adder/sums.ts"
import { BATCH as ADDER_BATCH, SAMPLES } from "../examples/adder/training.ts"
import { adderOf } from "./adderRuns.ts"
import type { Figure } from "./figure.ts"
import { type Letters, lettersLoss, lettersTraining, readLetters } from "./letters.ts"

/**
 * What workers have to send one another, and what it costs. Four slots exchange compressed updates every few steps; the
 * baseline is one worker that sees all four batches in every step, which is what a float32 all-reduce each step
 * computes. Two tasks: the adder, whose sums are right or wrong, and a language, whose loss has a floor above zero. The
 * rounds run the very program that a job's workers run, on this machine. Counted is what must be exchanged; what goes
 * over a worker's line is `marketTraffic`'s.
 *
 * One configuration a task and kind of slot state, fixed beforehand on other seeds (few signs often are good for the
 * language and ruin the adder: one seed of eight had 47 % of its sums right; they need a state that is kept); the
 * baseline's learning rate is chosen on seeds of its own.
 */
export async function traffic(): Promise<Figure[]> {
  const runner = createRunner()
  try {
    const figures: Figure[] = []
    for (const plan of [ADDER.kept, ADDER.none]) {
      const exact: number[] = []
      for (const seed of SEEDS) exact.push(await exactOf(runner, plan, seed))
      figures.push(bytesFigure("adder", adderOf(0, 1), plan), exactFigure(plan, exact))
    }
    const letters = readLetters()
    const peak = await tunedPeak(runner, letters)
    const alone: number[] = []
    for (const seed of SEEDS) alone.push(await aloneLoss(runner, letters, { seed, peak }))
    for (const plan of [LETTERS.kept, LETTERS.none]) {
      const losses: Losses[] = []
      for (const [i, seed] of SEEDS.entries()) {
        losses.push({ alone: alone[i]!, together: await togetherLoss(runner, letters, plan, seed) })
      }
      figures.push(bytesFigure("language", lettersTraining(letters.train, 0, 1), plan), lossFigure(plan, losses, peak))
    }
    return figures
  } finally {
    await runner.close()
  }
}

const SLOTS = 4
const SEEDS = [11, 12, 13, 14, 15, 16, 17, 18]
const WARM_UP = 200
const OUTER = { rate: 0.7, momentum: 0.6 }

/** `steps` in all, `every` so many an exchange. */
type Plan = {
  readonly compression: Compression
  readonly slotState: SlotState
  readonly every: number
  readonly steps: number
  readonly batch: number
  readonly peak: number
}
type Plans = Readonly<Record<SlotState, Plan>>

const adderPlan = { compression: "int4", every: 25, steps: 1_500, batch: ADDER_BATCH, peak: 3e-3 } as const
const ADDER: Plans = { kept: { ...adderPlan, slotState: "kept" }, none: { ...adderPlan, slotState: "none" } }
const lettersPlan = { steps: 3_000, batch: 32, peak: 4e-2 }
const LETTERS: Plans = {
  kept: { ...lettersPlan, slotState: "kept", compression: "sign", every: 8 },
  none: { ...lettersPlan, slotState: "none", compression: "int4", every: 25 },
}

const TUNING_SEEDS = [5, 6]
const PEAKS = [2e-2, 4e-2, 6e-2, 8e-2]
/** Steps that one program of the baseline has; they change no bit. */
const ALONE_STEPS = 25

type Losses = { readonly alone: number; readonly together: number }

/** The share of sums that nobody trained on and that come out wholly right. */
async function exactOf(runner: Runner, plan: Plan, seed: number): Promise<number> {
  const { parameters, p } = await together(runner, adderOf(seed, plan.batch), plan)
  const held = drawAdditions(SAMPLES.train, SAMPLES.heldOut)
  return (await exactMatches({ runner }, parameters, p, held)) / held.length
}

async function togetherLoss(runner: Runner, { train, held }: Letters, plan: Plan, seed: number): Promise<number> {
  const { parameters, p } = await together(runner, lettersTraining(train, seed, plan.batch), plan)
  return lettersLoss(runner, parameters, p, held)
}

/** The rate whose worst seed is best: a baseline with another would fake a pass. */
async function tunedPeak(runner: Runner, letters: Letters): Promise<number> {
  const tried: { peak: number; worst: number }[] = []
  for (const peak of PEAKS) {
    const losses: number[] = []
    for (const seed of TUNING_SEEDS) losses.push(await aloneLoss(runner, letters, { seed, peak }))
    tried.push({ peak, worst: Math.max(...losses) })
  }
  return tried.sort((a, b) => a.worst - b.worst)[0]!.peak
}

/** One worker, all slots' batches in each step, nothing compressed. */
async function aloneLoss(
  runner: Runner,
  { train, held }: Letters,
  { seed, peak }: { seed: number; peak: number },
): Promise<number> {
  const training = lettersTraining(train, seed, SLOTS * lettersPlan.batch)
  const segment = buildSegment(training, ALONE_STEPS)
  const schedule = { peak, warmUp: WARM_UP, total: lettersPlan.steps }
  const rates = elementsOf(cosineRates(schedule, 0, lettersPlan.steps)) as Float32Array
  const segments = lettersPlan.steps / ALONE_STEPS
  const { p } = await trainAlone(
    { runner },
    { segment, model: training.model, segments, rateOf: (step) => rates[step]! },
  )
  return lettersLoss(runner, segment.parameters, p, held)
}

async function together(
  runner: Runner,
  training: Training,
  plan: Plan,
): Promise<{ parameters: readonly Parameter[]; p: Tensor }> {
  const { every, steps, peak } = plan
  const { segment, program } = programOf(training, plan)
  const runtime = createRoundRuntime({ runner }, program)
  const schedule = { peak, warmUp: WARM_UP, total: steps }
  let state = program.genesis
  for (let step = 0; step < steps; step += every) {
    const rates = [...(elementsOf(cosineRates(schedule, step, every)) as Float32Array)]
    ;({ state } = await playRound(runtime, program, { state, rates }))
  }
  return { parameters: segment.parameters, p: await closeRun({ runner }, program, state) }
}

function programOf(training: Training, { compression, slotState, every }: Plan) {
  const segment = buildSegment(training, every)
  const [begin] = initialState(segment, training.model)
  const program = buildRoundProgram({ segment, begin: begin!, slots: SLOTS, compression, slotState, outer: OUTER })
  return { segment, program }
}

function nameOf(task: string, { compression, slotState, every }: Plan): string {
  return `traffic, ${task}, ${compression} every ${every} steps, ${SLOTS} slots, slot state ${slotState}`
}

function bytesFigure(task: string, training: Training, plan: Plan): Figure {
  const { program } = programOf(training, plan)
  const update = sentBytes(program)
  // A slot sends its update and takes those of all others; a ring all-reduce moves 2 (n - 1) / n of the gradient each way.
  const sent = update + (SLOTS - 1) * update
  const ring = 2 * ((2 * (SLOTS - 1)) / SLOTS) * 4 * program.parameters * plan.every
  return {
    name: nameOf(task, plan),
    value: sent,
    unit: "bytes a worker and round, both ways",
    against: `float32 ring all-reduce each step, ${ring} bytes: ${(ring / sent).toFixed(0)} times less; goal 100`,
    ratio: ring / sent / 100,
  }
}

function lossFigure(plan: Plan, losses: readonly Losses[], peak: number): Figure {
  const { mean, low, high } = interval(losses.map(({ together, alone }) => together / alone))
  const average = (which: keyof Losses) => (losses.reduce((sum, one) => sum + one[which], 0) / losses.length).toFixed(4)
  const baseline = `one worker, batch ${SLOTS * plan.batch}, peak rate ${peak} of ${PEAKS.join(", ")}`
  return {
    name: `${nameOf("language", plan)}: held-out loss after ${plan.steps} steps`,
    value: mean,
    unit: `times the baseline's (95 % interval ${low.toFixed(4)} to ${high.toFixed(4)}, ${SEEDS.length} seeds)`,
    against: `${baseline}: ${average("alone")} nats a letter, here ${average("together")}; goal at most 1.01`,
    ratio: mean / 1.01,
  }
}

function exactFigure(plan: Plan, exact: readonly number[]): Figure {
  const worst = Math.min(...exact)
  return {
    name: `${nameOf("adder", plan)}: exact match, worst of ${SEEDS.length} seeds`,
    value: worst,
    unit: "of unseen sums",
    against: "goal 0.99",
    ratio: worst / 0.99,
  }
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
