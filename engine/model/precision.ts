import type { OnnxNode } from "../onnx/types.ts"
import type { GraphValues } from "./graphValues.ts"

/**
 * How much of the work behind a value can still be seen in it. R7 wants values that cannot be had without the work: a
 * label can be guessed, its logits cannot.
 *
 * - `const`: does not depend on the input
 * - `raw`: the input, moved or compared, before any arithmetic
 * - `full`: the result of arithmetic in full precision
 * - `quantized`: rounded; much is left, and a sum of many such values is `full` again
 * - `collapsed`: reduced to a choice (argmax, comparison); nothing makes it `full` again
 */
export type Precision = "const" | "raw" | "full" | "quantized" | "collapsed"

const COLLAPSING = new Set(
  "ArgMax ArgMin OneHot Hardmax NonZero Greater GreaterOrEqual Less LessOrEqual Equal Not And Or Xor IsNaN IsInf".split(
    " ",
  ),
)
/** Collapsing in their second output only: the positions of what the first one holds. */
const INDICES_SECOND = new Set(["TopK", "MaxPool"])
const QUANTIZING = new Set(
  "Round Floor Ceil Sign QuantizeLinear DynamicQuantizeLinear BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitShift".split(
    " ",
  ),
)
/** Full arithmetic inside, eight bits outside. */
const QUANTIZED_ARITHMETIC = new Set(
  "QLinearConv QLinearMatMul QLinearAdd QLinearMul QLinearSigmoid QLinearLeakyRelu QLinearAveragePool QLinearGlobalAveragePool QLinearSoftmax QGemm".split(
    " ",
  ),
)
const ACCUMULATING = new Set(
  "MatMul Gemm Conv ConvTranspose ConvInteger MatMulInteger Einsum LSTM GRU RNN ReduceSum ReduceMean ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ReduceProd AveragePool GlobalAveragePool LpPool GlobalLpPool LayerNormalization InstanceNormalization GroupNormalization RMSNormalization MeanVarianceNormalization LRN CumSum DFT STFT Attention FusedMatMul MatMulNBits MultiHeadAttention GroupQueryAttention SkipLayerNormalization".split(
    " ",
  ),
)
/** Data in other places, or some of them; the first input is the data, further ones of the same kind only for Concat. */
const MOVING = new Set(
  "Identity Reshape Transpose Squeeze Unsqueeze Flatten Slice Split Gather GatherElements GatherND Tile Expand Pad DepthToSpace SpaceToDepth ReverseSequence Dropout Trilu CenterCropPad".split(
    " ",
  ),
)
const MOVING_ALL = new Set(["Concat", "QLinearConcat", "ScatterElements", "ScatterND", "Scatter"])
const CONSTANT = new Set(["Constant", "Shape", "Size"])
const FLOATS = new Set(["float32", "float64", "float16", "bfloat16"])

export function isFloat(dtype: string | undefined): boolean {
  return dtype !== undefined && FLOATS.has(dtype)
}

/** The precision of every value, in one pass in graph order (ONNX graphs are sorted). */
export function precisionOf(values: GraphValues): (name: string) => Precision {
  const states = new Map<string, Precision>()
  for (const name of values.inputs) states.set(name, "raw")
  const stateOf = (name: string): Precision => states.get(name) ?? "const"
  for (const node of values.nodes)
    node.outputs.forEach((name, i) => {
      if (name !== "") states.set(name, outputState(node, i, stateOf, values))
    })
  return stateOf
}

function outputState(
  node: OnnxNode,
  output: number,
  stateOf: (name: string) => Precision,
  values: GraphValues,
): Precision {
  const { op } = node
  if (CONSTANT.has(op)) return "const"
  const states = node.inputs.map(stateOf)
  const moving = states.filter((state): state is Exclude<Precision, "const"> => state !== "const")
  const has = (state: Exclude<Precision, "const">) => moving.includes(state)
  if (moving.length === 0) return "const"
  const onlyRaw = moving.every((state) => state === "raw")
  if (COLLAPSING.has(op) || (INDICES_SECOND.has(op) && output === 1)) return onlyRaw ? "raw" : "collapsed"
  if (QUANTIZING.has(op) || isCastToInteger(node, values)) {
    if (onlyRaw) return "raw"
    return has("full") || has("quantized") ? "quantized" : "collapsed"
  }
  if (QUANTIZED_ARITHMETIC.has(op)) return "quantized"
  if (ACCUMULATING.has(op)) return has("raw") || has("full") || has("quantized") ? "full" : "collapsed"
  if (MOVING.has(op) || op === "Cast" || op === "CastLike" || op === "DequantizeLinear") {
    const [data = "const"] = states
    return data === "const" ? worst(moving) : data
  }
  if (MOVING_ALL.has(op)) return worst(moving)
  if (has("full")) return "full"
  if (has("quantized")) return "quantized"
  if (has("collapsed")) return "collapsed"
  return isFloat(values.info(node.outputs[output]!)?.dtype) ? "full" : "raw"
}

/** A value that is partly guessable is guessable in that part. */
function worst(states: readonly Precision[]): Precision {
  return (["collapsed", "quantized", "full", "raw"] as const).find((state) => states.includes(state)) ?? "const"
}

function isCastToInteger(node: OnnxNode, values: GraphValues): boolean {
  return (
    (node.op === "Cast" || node.op === "CastLike") &&
    isFloat(values.info(node.inputs[0] ?? "")?.dtype) &&
    !isFloat(values.info(node.outputs[0] ?? "")?.dtype)
  )
}
