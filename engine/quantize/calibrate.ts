import { createHash } from "node:crypto"
import { elementCount, type Tensor } from "#protocol"
import { extendModel } from "../onnx/extendModel.ts"
import type { ValueSpec } from "../onnx/writeModel.ts"
import { elementsOf } from "../program/elements.ts"
import type { Runner } from "../run/runner.ts"
import type { Layer } from "./layers.ts"
import type { ProgramGraph } from "./readProgram.ts"

/** How often the numbers of a tensor fall where, over all samples. */
export type Histogram = { readonly low: number; readonly high: number; readonly counts: Float64Array }

export type Range = { readonly low: number; readonly high: number }

/** How a range is chosen out of what was seen. Which one loses least is measured, not assumed. */
export const RANGE_METHODS = ["min-max", "99.99 %", "99.9 %", "least squares"] as const
export type RangeMethod = (typeof RANGE_METHODS)[number]

const BINS = 2048
/** Most bytes of activations that one run puts out. */
const AT_ONCE = 64 * 1024 ** 2

/** Runs the program on every sample with the layers' activations exposed; once for the ends, once for what lies between. */
export async function calibrate(
  runner: Runner,
  program: Uint8Array,
  graph: ProgramGraph,
  layers: readonly Layer[],
  samples: readonly (readonly Tensor[])[],
): Promise<ReadonlyMap<string, Histogram>> {
  const wires = [...new Map(layers.map(({ wire, activation }) => [wire, activation])).entries()]
  const ends = new Map<string, [number, number]>(wires.map(([wire]) => [wire, [0, 0]]))
  await observe(runner, program, graph, wires, samples, (wire, values) => {
    const seen = ends.get(wire)!
    // A range holds 0: padding, relu and zeros must stay what they are.
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      if (value < seen[0] && value !== Number.NEGATIVE_INFINITY) seen[0] = value
      if (value > seen[1] && value !== Number.POSITIVE_INFINITY) seen[1] = value
    }
  })
  const histograms = new Map(
    [...ends].map(([wire, [low, high]]) => [wire, { low, high, counts: new Float64Array(BINS) }] as const),
  )
  await observe(runner, program, graph, wires, samples, (wire, values) => {
    const { low, high, counts } = histograms.get(wire)!
    const scale = high > low ? BINS / (high - low) : 0
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      if (value >= low && value <= high) counts[Math.min(BINS - 1, Math.floor((value - low) * scale))]!++
    }
  })
  return histograms
}

async function observe(
  runner: Runner,
  program: Uint8Array,
  graph: ProgramGraph,
  wires: readonly (readonly [string, Layer["activation"]])[],
  samples: readonly (readonly Tensor[])[],
  see: (wire: string, values: Float32Array) => void,
): Promise<void> {
  const given = new Map(graph.inputs.map(({ name }, i) => [name, i]))
  const exposed = new Set(graph.results.map(([name]) => name))
  const inner: ValueSpec[][] = [[]]
  let bytes = 0
  for (const [wire, { dims }] of wires) {
    if (given.has(wire) || exposed.has(wire)) continue
    bytes += 4 * elementCount(dims)
    if (bytes > AT_ONCE && inner.at(-1)!.length > 0) {
      inner.push([])
      bytes = 4 * elementCount(dims)
    }
    inner.at(-1)!.push({ name: wire, dtype: "float32", dims })
  }
  const wanted = new Set(wires.map(([wire]) => wire))
  for (const sample of samples)
    for (const [wire, i] of given) if (wanted.has(wire)) see(wire, elementsOf(sample[i]!) as Float32Array)
  for (const [part, outer] of inner.entries()) {
    const model = outer.length > 0 ? extendModel(program, { outputs: outer }) : program
    const sha256 = `0x${createHash("sha256").update(model).digest("hex")}` as const
    const { outputs } = await runner.load(model, sha256)
    for await (const results of runner.runMany(sha256, samples))
      outputs.forEach(({ name }, i) => {
        // Outputs come along with every part, and count once.
        if (wanted.has(name) && (part === 0 || !exposed.has(name))) see(name, elementsOf(results[i]!) as Float32Array)
      })
  }
}

export function rangeOf(histogram: Histogram, method: RangeMethod): Range {
  switch (method) {
    case "min-max":
      return { low: histogram.low, high: histogram.high }
    case "99.99 %":
      return percentile(histogram, 0.9999)
    case "99.9 %":
      return percentile(histogram, 0.999)
    case "least squares":
      return leastSquares(histogram)
  }
}

/** What is left when half of the rest is cut off at either end; 0 stays inside. */
function percentile({ low, high, counts }: Histogram, share: number): Range {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const most = (total * (1 - share)) / 2
  const width = (high - low) / BINS
  const cut = (from: number, step: 1 | -1): number => {
    let seen = 0
    let bin = from
    for (; bin >= 0 && bin < BINS; bin += step) {
      seen += counts[bin]!
      if (seen > most) break
    }
    return bin
  }
  const [first, last] = [cut(0, 1), cut(BINS - 1, -1)]
  if (total === 0) return { low, high }
  return { low: Math.min(0, low + first * width), high: Math.max(0, low + (last + 1) * width) }
}

/** The narrowing of both ends by one factor that loses least, in squares, between clipping and coarse steps. */
function leastSquares({ low, high, counts }: Histogram): Range {
  const width = (high - low) / BINS
  let best = { low, high, loss: Number.POSITIVE_INFINITY }
  for (let factor = 1; factor > 0.2; factor -= 0.02) {
    const [from, to] = [low * factor, high * factor]
    const step = (to - from) / 255
    let loss = 0
    for (let bin = 0; bin < BINS; bin++) {
      const at = low + (bin + 0.5) * width
      const outside = at < from ? from - at : at > to ? at - to : 0
      loss += counts[bin]! * (outside * outside + (outside === 0 ? (step * step) / 12 : 0))
    }
    if (loss < best.loss) best = { low: from, high: to, loss }
  }
  return { low: best.low, high: best.high }
}
