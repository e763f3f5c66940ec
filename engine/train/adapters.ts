import type { Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { readModel } from "../onnx/readModel.ts"
import { type NodeSpec, writeModel } from "../onnx/writeModel.ts"
import { elementsOf, floats } from "../program/elements.ts"
import { createInitializer } from "./initialize.ts"
import { modelSpec } from "./modelSpec.ts"

export type AdapterOptions = {
  /** Inner width of each adapter: a matrix (K, N) gets rank (K + N) numbers to learn. */
  readonly rank: number
  /** The adapters' product counts alpha / rank times. */
  readonly alpha?: number
  /** Of the first factors; the second ones start at 0, so that nothing changes before the first step. */
  readonly seed?: number
}

export type AdaptedModel = {
  readonly model: Uint8Array
  /** The initializers that are learned: two for each matrix. */
  readonly parameters: readonly string[]
}

const factorNames = (name: string) => ({ down: `${name}.lora_a`, up: `${name}.lora_b`, scale: `${name}.lora_scale` })

/**
 * Low-rank adapters, https://arxiv.org/abs/2106.09685: each named float32 matrix W (K, N) is read as
 * W + alpha / rank A B with A (K, rank) and B (rank, N), and only A and B are learned.
 * Throws E_TRAIN_NAME for a name that is no matrix of the model, E_TRAIN_OPTION for a rank that is none.
 */
export function addAdapters(model: Uint8Array, names: readonly string[], options: AdapterOptions): AdaptedModel {
  const { rank, alpha = rank, seed = 0 } = options
  if (!(Number.isInteger(rank) && rank >= 1))
    throw engineError("E_TRAIN_OPTION", `the rank of an adapter is a whole number above 0, not ${rank}`)
  const spec = modelSpec(readModel(model))
  const draw = createInitializer(seed)
  const initializers: Record<string, Tensor> = { ...spec.initializers }
  const read = new Map<string, string>()
  const sums: NodeSpec[] = []
  const parameters: string[] = []
  for (const name of names) {
    const [k, n] = matrixDims(initializers[name], name)
    const { down, up, scale } = factorNames(name)
    initializers[down] = draw.normal([k, rank], 1 / Math.sqrt(k))
    initializers[up] = draw.filled([rank, n], 0)
    initializers[scale] = floats([], [alpha / rank])
    const [product, scaled, sum] = [`${name}.lora_product`, `${name}.lora_scaled`, `${name}.lora_sum`]
    sums.push(
      { op: "MatMul", name: product, inputs: [down, up], outputs: [product] },
      { op: "Mul", name: scaled, inputs: [product, scale], outputs: [scaled] },
      { op: "Add", name: sum, inputs: [name, scaled], outputs: [sum] },
    )
    read.set(name, sum)
    parameters.push(down, up)
  }
  const nodes = spec.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => read.get(name) ?? name) }))
  return { model: writeModel({ ...spec, nodes: [...sums, ...nodes], initializers }), parameters }
}

/**
 * The model without adapters that computes what the adapted one does: each sum, in doubles and rounded once, takes the
 * place of its matrix. `adapted` holds the trained factors (`withParameters`).
 */
export function mergeAdapters(model: Uint8Array, adapted: Uint8Array, names: readonly string[]): Uint8Array {
  const spec = modelSpec(readModel(model))
  const trained = modelSpec(readModel(adapted)).initializers ?? {}
  const merged = names.map((name) => {
    const [k, n] = matrixDims(spec.initializers?.[name], name)
    const { down, up, scale } = factorNames(name)
    const [, rank] = matrixDims(trained[down], down)
    matrixDims(trained[up], up)
    const [w, a, b, factor] = [spec.initializers![name]!, trained[down]!, trained[up]!, trained[scale]!].map(
      (tensor) => elementsOf(tensor) as Float32Array,
    ) as [Float32Array, Float32Array, Float32Array, Float32Array]
    const values = Float64Array.from(w, (value, e) => {
      const [row, column] = [Math.floor(e / n), e % n]
      let sum = 0
      for (let r = 0; r < rank; r++) sum += a[row * rank + r]! * b[r * n + column]!
      return value + sum * factor[0]!
    })
    return [name, floats([k, n], values)] as const
  })
  return writeModel({ ...spec, initializers: { ...spec.initializers, ...Object.fromEntries(merged) } })
}

function matrixDims(tensor: Tensor | undefined, name: string): readonly [number, number] {
  if (tensor?.dtype !== "float32" || tensor.dims.length !== 2)
    throw engineError("E_TRAIN_NAME", `"${name}" is no float32 matrix of the model`, {
      remedy: "name the weights of its products (MatMul, Gemm)",
      input: name,
    })
  return tensor.dims as readonly [number, number]
}
