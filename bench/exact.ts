import { createHash } from "node:crypto"
import ort from "onnxruntime-node"
import {
  createRunner,
  type ExecutionProfile,
  exactProfile,
  quantizeModel,
  sessionOptions,
  tolerantProfile,
} from "#engine"
import type { Tensor } from "#protocol"
import { type Figure, median, timed } from "./figure.ts"
import { type BenchNetwork, CNN, cnn, TRANSFORMER, transformer } from "./networks.ts"

/**
 * What exactness costs and what bytes gain: one model as onnxruntime runs it by default, as the float32 program of the
 * exact class, and as the integer program that `assay quantize` makes of it, turn by turn in one run.
 *
 * A session of the exact class has one thread, and a worker uses a second core for a second process. On two cores the
 * programs therefore run as two processes with a task each, against one session by default with two threads.
 */
export async function exact(): Promise<Figure[]> {
  const { length, width, layers } = TRANSFORMER
  return [
    ...(await compare(`transformer ${layers} x ${width}, ${length} tokens`, transformer())),
    ...(await compare(`CNN ${CNN.stages} stages from ${CNN.width} x ${CNN.size}²`, cnn())),
  ]
}

const ROUNDS = { warmUp: 3, counted: 21 }
const SAMPLES = 5
const GOALS = { integer: 1.3, float: 0.95 }
/** Tasks that each process computes in a round on two cores. */
const BATCH = 4

type Models = { readonly plain: Uint8Array; readonly float: Uint8Array; readonly integer: Uint8Array }
type Inputs = readonly (readonly Tensor[])[]

async function compare(name: string, network: BenchNetwork): Promise<Figure[]> {
  const samples = Array.from({ length: SAMPLES }, (_, i) => network.input(i + 1))
  const runner = createRunner()
  let models: Models
  try {
    const { original: float, bytes: integer } = await quantizeModel({ runner }, { model: network.model, samples })
    models = { plain: network.model, float, integer }
  } finally {
    await runner.close()
  }
  return [
    ...figures(`${name}, 1 core`, await oneCore(models, samples)),
    ...figures(`${name}, 2 cores`, await twoCores(models, samples)),
  ]
}

type Times = { readonly plain: number; readonly float: number; readonly integer: number }

function figures(on: string, { plain, float, integer }: Times): Figure[] {
  const figure = (what: string, ms: number, than: string, thanMs: number, goal: number): Figure => ({
    name: `exact, ${on}: ${what}`,
    value: ms,
    unit: "ms a task",
    against: `${than}, ${thanMs.toFixed(2)} ms; goal ${goal} times its speed`,
    ratio: thanMs / ms,
  })
  return [
    figure("integer", integer, "its float32 program", float, GOALS.integer),
    figure("integer", integer, "float32 by default", plain, GOALS.integer),
    figure("float32", float, "float32 by default", plain, GOALS.float),
  ]
}

/** In this process, so that nothing but onnxruntime is measured. */
async function oneCore(models: Models, [sample]: Inputs): Promise<Times> {
  const plain = sessionOptions(tolerantProfile("cpu", 1))
  const program = sessionOptions(exactProfile())
  const sessions = [
    await ort.InferenceSession.create(models.plain, plain),
    await ort.InferenceSession.create(models.float, program),
    await ort.InferenceSession.create(models.integer, program),
  ]
  const [{ data, dims }] = sample as [Tensor]
  const feeds = {
    x: new ort.Tensor("float32", new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4), dims),
  }
  const times = await interleaved(sessions.map((session) => () => session.run(feeds)))
  for (const session of sessions) await session.release()
  return times
}

async function twoCores(models: Models, samples: Inputs): Promise<Times> {
  const open = (model: Uint8Array, processes: number, profile: ExecutionProfile) => {
    const sha256 = `0x${createHash("sha256").update(model).digest("hex")}` as const
    const tasks = Array.from({ length: BATCH }, (_, i) => samples[i % samples.length]!)
    const runners = Array.from({ length: processes }, () => createRunner({ profile }))
    return {
      load: () => Promise.all(runners.map((runner) => runner.load(model, sha256))),
      round: () =>
        Promise.all(
          runners.map(async (runner) => {
            for await (const _ of runner.runMany(sha256, tasks));
          }),
        ),
      tasks: BATCH * processes,
      close: () => Promise.all(runners.map((runner) => runner.close())),
    }
  }
  const all = [
    open(models.plain, 1, tolerantProfile("cpu", 2)),
    open(models.float, 2, exactProfile()),
    open(models.integer, 2, exactProfile()),
  ]
  try {
    for (const { load } of all) await load()
    const { plain, float, integer } = await interleaved(all.map(({ round }) => round))
    const [a, b, c] = all.map(({ tasks }) => tasks) as [number, number, number]
    return { plain: plain / a, float: float / b, integer: integer / c }
  } finally {
    for (const { close } of all) await close()
  }
}

async function interleaved(contestants: readonly (() => Promise<unknown>)[]): Promise<Times> {
  const times = contestants.map((): number[] => [])
  for (let round = 0; round < ROUNDS.warmUp + ROUNDS.counted; round++)
    for (const [i, run] of contestants.entries()) {
      const ms = await timed(run)
      if (round >= ROUNDS.warmUp) times[i]!.push(ms)
    }
  const [plain, float, integer] = times.map(median) as [number, number, number]
  return { plain, float, integer }
}
