import { bytesPerElement, elementCount } from "#protocol"
import { einsumLabels, einsumSizes } from "../onnx/einsumLabels.ts"
import type { OnnxNode } from "../onnx/types.ts"
import type { GraphValues } from "./graphValues.ts"

/**
 * Estimates from shapes alone: good for choosing a memory tier, comparing models and ranking tensors by the work
 * behind them, not for billing.
 */

/** Multiplications and additions of one node. */
export function nodeFlops(node: OnnxNode, values: GraphValues): number {
  const output = elements(values, node.outputs[0])
  const dims = (i: number) => values.info(node.inputs[i] ?? "")?.dims ?? []
  switch (node.op) {
    case "MatMul":
    case "MatMulInteger":
    case "QLinearMatMul":
    case "FusedMatMul":
    case "MatMulNBits":
    case "DynamicQuantizeMatMul":
    case "MatMulIntegerToFloat":
      return 2 * output * (dims(0).at(-1) ?? 1)
    case "Gemm":
    case "QGemm":
      return 2 * output * ((node.attributes.get("transA")?.i ? dims(0)[0] : dims(0)[1]) ?? 1)
    case "Conv":
    case "ConvInteger":
      return 2 * output * perOutput(dims(1))
    case "QLinearConv":
      return 2 * output * perOutput(dims(3))
    case "Einsum":
      return (
        2 *
        einsumTerms(
          node.attributes.get("equation")?.s ?? "",
          node.inputs.map((_, i) => dims(i)),
        )
      )
    case "TreeEnsembleClassifier":
    case "TreeEnsembleRegressor":
      // No more than every node for every row.
      return (dims(0)[0] ?? 1) * (node.attributes.get("nodes_nodeids")?.ints.length ?? 0)
    case "MultiHeadAttention":
    case "GroupQueryAttention": {
      const past = dims(node.op === "MultiHeadAttention" ? 6 : 3).at(-2) ?? 0
      const keys = dims(1).at(-2) ?? dims(0).at(-2) ?? 0
      return 4 * output * (keys + past)
    }
    case "Attention": {
      if (node.domain !== "") {
        // onnxruntime's makes queries, keys and values itself.
        const [inner = 1, wide = 1] = dims(1)
        return 2 * (elements(values, node.inputs[0]) / inner) * inner * wide + 4 * output * (dims(0)[1] ?? 0)
      }
      // Queries by keys, and what they weigh by values: both as long as what is attended to, the past included.
      const length = (dims(1).at(-2) ?? 0) + (dims(4).at(-2) ?? 0)
      return 2 * length * (elements(values, node.inputs[0]) + output)
    }
    case "ConvTranspose":
      return 2 * elements(values, node.inputs[0]) * perOutput(dims(1))
    case "LSTM":
    case "GRU":
    case "RNN": {
      const [steps = 1, batch = 1] = dims(0)
      return 2 * steps * batch * (elementCount(dims(1)) + elementCount(dims(2)))
    }
    case "Constant":
    case "Shape":
    case "Reshape":
    case "Identity":
      return 0
    default:
      return Math.max(output, elements(values, node.inputs[0]))
  }
}

export function graphFlops(values: GraphValues): number {
  return values.nodes.reduce((sum, node) => sum + nodeFlops(node, values), 0)
}

/** The most bytes of inner values alive at once when nodes run in graph order, inputs and outputs included. */
export function peakActivationBytes(values: GraphValues): number {
  const lastUse = new Map<string, number>()
  values.nodes.forEach((node, i) => {
    for (const name of node.inputs) lastUse.set(name, i)
  })
  for (const name of values.outputs) lastUse.set(name, values.nodes.length)
  let live = [...values.inputs].reduce((sum, name) => sum + bytes(values, name), 0)
  let peak = live
  values.nodes.forEach((node, i) => {
    for (const name of node.outputs) live += bytes(values, name)
    peak = Math.max(peak, live)
    for (const name of new Set([...node.inputs, ...node.outputs]))
      if ((lastUse.get(name) ?? i) <= i && (values.producers.has(name) || values.inputs.has(name)))
        live -= bytes(values, name)
  })
  return peak
}

/** What the process needs before it has loaded anything: Node and onnxruntime, measured at 80 to 110 MB. */
const PROCESS_BYTES = 128 * 1024 ** 2

/** The file is held while the session copies its weights out of it. */
export function estimateMemoryBytes(values: GraphValues, fileBytes: number): number {
  return PROCESS_BYTES + 2 * fileBytes + peakActivationBytes(values)
}

/** R25's memory tiers, in GiB. */
export const MEMORY_TIERS_GIB = [2, 8, 32, 128] as const
export type MemoryTierGiB = (typeof MEMORY_TIERS_GIB)[number]

/** The smallest tier that holds so much, or undefined if none does. */
export function memoryTierFor(bytes: number): MemoryTierGiB | undefined {
  return MEMORY_TIERS_GIB.find((gib) => bytes <= gib * 1024 ** 3)
}

/** The products that an equation sums, were all its operands multiplied at once: one for each choice of all its dims. */
function einsumTerms(equation: string, operands: readonly (readonly number[])[]): number {
  const labels = einsumLabels(
    equation,
    operands.map(({ length }) => length),
  )
  return labels ? elementCount([...einsumSizes(labels, operands).values()]) : 0
}

/** Multiplications per output element of a convolution: what one filter has. */
function perOutput(weights: readonly number[]): number {
  return weights.slice(1).reduce((product, dim) => product * dim, 1)
}

function elements(values: GraphValues, name: string | undefined): number {
  const dims = values.info(name ?? "")?.dims
  return dims ? elementCount(dims) : 0
}

function bytes(values: GraphValues, name: string): number {
  const info = values.info(name)
  return info?.dtype && info.dims ? elementCount(info.dims) * bytesPerElement(info.dtype) : 0
}
