import ort from "onnxruntime-node"
import { createRunner, exactProfile, normalizeModel, quantizeModel, sessionOptions, tolerantProfile } from "#engine"
import { type Figure, median, timed } from "./figure.ts"
import { type BenchNetwork, CNN, cnn, TRANSFORMER, transformer } from "./networks.ts"

/**
 * What exactness costs and what bytes gain: milliseconds a task of one model as onnxruntime runs it by default, as the
 * float32 program of the exact class, and as the integer program that `assay quantize` makes of it, turn by turn. With
 * two threads the bits of both programs stay those of one: compared too, since a figure for other bits would be none.
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

async function compare(name: string, network: BenchNetwork): Promise<Figure[]> {
  const samples = Array.from({ length: SAMPLES }, (_, i) => network.input(i + 1))
  const runner = createRunner()
  let programs: { float: Uint8Array; integer: Uint8Array }
  try {
    const { bytes: float } = await normalizeModel({ runner }, network.model)
    const { bytes: integer } = await quantizeModel({ runner }, { model: float, samples })
    programs = { float, integer }
  } finally {
    await runner.close()
  }
  const figures: Figure[] = []
  const bits: Record<number, Uint8Array[]> = {}
  for (const threads of [1, 2]) {
    const open = (model: Uint8Array, options: ort.InferenceSession.SessionOptions) =>
      ort.InferenceSession.create(model, { ...options, intraOpNumThreads: threads })
    const plain = await open(network.model, sessionOptions(tolerantProfile("cpu", threads)))
    const float = await open(programs.float, sessionOptions(exactProfile()))
    const integer = await open(programs.integer, sessionOptions(exactProfile()))
    const sessions = [plain, float, integer]
    const [input] = samples[0]!
    const values = new Float32Array(input!.data.buffer, input!.data.byteOffset, input!.data.byteLength / 4)
    const feeds = { x: new ort.Tensor("float32", values, input!.dims) }
    const times = sessions.map((): number[] => [])
    for (let round = 0; round < ROUNDS.warmUp + ROUNDS.counted; round++)
      for (const [i, session] of sessions.entries()) {
        const ms = await timed(() => session.run(feeds))
        if (round >= ROUNDS.warmUp) times[i]!.push(ms)
      }
    bits[threads] = []
    for (const session of [float, integer]) {
      const { data } = (await session.run(feeds)).y!
      bits[threads].push(Uint8Array.from(new Uint8Array((data as Float32Array).buffer)))
    }
    for (const session of sessions) await session.release()
    const [plainMs, floatMs, integerMs] = times.map(median) as [number, number, number]
    const on = `${name}, ${threads} thread${threads > 1 ? "s" : ""}`
    const figure = (what: string, ms: number, than: string, thanMs: number, goal: number): Figure => ({
      name: `exact, ${on}: ${what}`,
      value: ms,
      unit: "ms a task",
      against: `${than}, ${thanMs.toFixed(2)} ms; goal ${goal} times its speed`,
      ratio: thanMs / ms,
    })
    figures.push(
      figure("integer program", integerMs, "float32 program", floatMs, GOALS.integer),
      figure("integer program", integerMs, "float32 by default", plainMs, GOALS.integer),
      figure("float32 program", floatMs, "float32 by default", plainMs, GOALS.float),
    )
  }
  const differ = bits[1]!.findIndex((one, i) => Buffer.compare(one, bits[2]![i]!) !== 0)
  if (differ >= 0)
    throw new Error(`${name}: the ${["float32", "integer"][differ]} program has other bits on two threads`)
  return figures
}
