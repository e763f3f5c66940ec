import { createHash } from "node:crypto"
import type { Hex } from "viem"
import type { Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { normalizeModel } from "../program/normalizeModel.ts"
import type { Runner } from "../run/runner.ts"
import { calibrate, RANGE_METHODS, type RangeMethod, rangeOf } from "./calibrate.ts"
import { accuracyOf, compareOutputs, type OutputAccuracy, type Outputs } from "./compareOutputs.ts"
import { type Layer, layersOf } from "./layers.ts"
import { readProgram } from "./readProgram.ts"
import { toBytes } from "./rewrite.ts"

export type QuantizeDeps = {
  /** Of the exact profile. */
  readonly runner: Runner
  readonly say?: (line: string) => void
}

export type QuantizeParams = {
  readonly model: Uint8Array
  /** Inputs of tasks, in model order. */
  readonly samples: readonly (readonly Tensor[])[]
  /** Share of the samples that calibration does not see; at least one sample. */
  readonly holdBack?: number
  /** Least mean cosine similarity (or share of equal integers) to the original, on the samples of calibration. */
  readonly accuracy?: number
}

export type QuantizedLayer = { readonly name: string; readonly op: string; readonly relativeError?: number }

export type QuantizeResult = {
  /** The integer program. */
  readonly bytes: Uint8Array
  /** The float32 program of the same model. */
  readonly original: Uint8Array
  readonly method: RangeMethod
  readonly samples: { readonly calibration: number; readonly heldBack: number }
  readonly layers: { readonly quantized: readonly QuantizedLayer[]; readonly kept: readonly QuantizedLayer[] }
  /** Share of the multiplications with constant weights that are done in bytes. */
  readonly products: number
  readonly outputs: readonly OutputAccuracy[]
  /** The samples that were held back, for whoever goes on measuring. */
  readonly heldBack: readonly (readonly Tensor[])[]
}

export const HOLD_BACK = 0.2
export const LEAST_ACCURACY = 0.99
/** Samples with which alternatives are compared. All of them calibrate, and all that are held back judge the result. */
const COMPARED = 16
const COMPARED_BY_LAYER = 4

export async function quantizeModel(
  { runner, say = () => {} }: QuantizeDeps,
  { model, samples, holdBack = HOLD_BACK, accuracy = LEAST_ACCURACY }: QuantizeParams,
): Promise<QuantizeResult> {
  const { calibration, heldBack } = divide(samples, holdBack)
  const { bytes: original } = await normalizeModel({ runner }, model)
  const graph = readProgram(original)
  const layers = layersOf(graph)
  if (layers.length === 0)
    throw engineError("E_MODEL_NOT_QUANTIZABLE", "no product of float32 with constant weights is left in the model", {
      remedy: "post it as it is: it is an integer model already, or has nothing that bytes would speed up",
    })
  say(`calibrating ${layers.length} layers on ${calibration.length} samples`)
  const histograms = await calibrate(runner, original, graph, layers, calibration)

  const names = graph.results.map(([name]) => name).filter((name) => !graph.digestTensors.includes(name))
  const compared = calibration.slice(0, COMPARED)
  const expected = await run(runner, original, compared, names.length)
  const build = (chosen: readonly Layer[], method: RangeMethod) =>
    toBytes(graph, new Map(chosen.map((layer) => [layer, rangeOf(histograms.get(layer.wire)!, method)])))
  const judge = async (bytes: Uint8Array, count = COMPARED) => {
    const outputs = await run(runner, bytes, compared.slice(0, count), names.length)
    return accuracyOf(compareOutputs(names, expected.slice(0, count), outputs))
  }

  const tried: { method: RangeMethod; bytes: Uint8Array; cosine: number; relativeError: number }[] = []
  for (const method of RANGE_METHODS) {
    const bytes = build(layers, method)
    tried.push({ method, bytes, ...(await judge(bytes)) })
    say(`ranges by ${method}: cosine ${tried.at(-1)!.cosine.toFixed(5)}`)
  }
  const best = tried.reduce((a, b) => (b.relativeError < a.relativeError ? b : a))
  const { method } = best
  let [bytes, kept]: [Uint8Array, readonly (Layer & { relativeError: number })[]] = [best.bytes, []]
  if (best.cosine < accuracy) {
    say("measuring each layer alone")
    const alone: (Layer & { relativeError: number })[] = []
    for (const layer of layers) {
      const { relativeError } = await judge(build([layer], method), COMPARED_BY_LAYER)
      alone.push({ ...layer, relativeError })
    }
    // Stable: of layers that cost the same the first is kept.
    alone.sort((a, b) => b.relativeError - a.relativeError)
    // The fewest of the worst that have to stay; more left in float32 never harm, so that halving finds them.
    let [low, high] = [1, layers.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const chosen = rest(layers, alone.slice(0, middle))
      const { cosine } = await judge(build(chosen, method))
      say(`${middle} of ${layers.length} layers left in float32: cosine ${cosine.toFixed(5)}`)
      if (cosine >= accuracy) high = middle
      else low = middle + 1
    }
    kept = alone.slice(0, low)
    if (low === layers.length)
      throw engineError(
        "E_MODEL_NOT_QUANTIZABLE",
        `no layer can be computed in bytes with a cosine similarity of ${accuracy} to the original`,
        { remedy: "lower --accuracy, or give samples that are more like what the model will see" },
      )
    bytes = build(rest(layers, kept), method)
  }

  const outputs = compareOutputs(
    names,
    await run(runner, original, heldBack, names.length),
    await run(runner, bytes, heldBack, names.length),
  )
  const quantized = rest(layers, kept)
  const sum = (list: readonly Layer[]) => list.reduce((total, { products }) => total + products, 0)
  return {
    bytes,
    original,
    method,
    samples: { calibration: calibration.length, heldBack: heldBack.length },
    layers: {
      quantized: quantized.map(({ name, op }) => ({ name, op })),
      kept: kept.map(({ name, op, relativeError }) => ({ name, op, relativeError })),
    },
    products: sum(quantized) / sum(layers),
    outputs,
    heldBack,
  }
}

function rest(layers: readonly Layer[], without: readonly { value: Layer["value"] }[]): Layer[] {
  return layers.filter(({ value }) => !without.some((layer) => layer.value === value))
}

type Samples = readonly (readonly Tensor[])[]

/** Every n-th sample is held back, so that a folder in any order gives both parts of everything. */
function divide(samples: Samples, share: number): { calibration: Samples; heldBack: Samples } {
  if (samples.length < 2)
    throw engineError(
      "E_INPUT_MISSING",
      `there ${samples.length === 1 ? "is 1 sample" : "are no samples"} to calibrate on`,
      {
        remedy: "give at least two, better a hundred: some calibrate, the others say how well",
      },
    )
  const count = Math.min(samples.length - 1, Math.max(1, Math.round(samples.length * share)))
  const every = samples.length / count
  const held = new Set(Array.from({ length: count }, (_, i) => Math.floor((i + 1) * every) - 1))
  return {
    calibration: samples.filter((_, i) => !held.has(i)),
    heldBack: samples.filter((_, i) => held.has(i)),
  }
}

/** The outputs of a program, without digest tensors, for each sample. */
async function run(runner: Runner, bytes: Uint8Array, samples: Samples, outputs: number): Promise<Outputs[]> {
  const sha256: Hex = `0x${createHash("sha256").update(bytes).digest("hex")}`
  await runner.load(bytes, sha256)
  const results: Outputs[] = []
  for await (const tensors of runner.runMany(sha256, samples)) results.push(tensors.slice(0, outputs))
  return results
}
