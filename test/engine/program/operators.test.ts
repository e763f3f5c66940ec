import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  type AttributeSpec,
  createRunner,
  EngineError,
  encodeElements,
  type ModelSpec,
  normalizeModel,
  writeModel,
} from "#engine"
import { type Dtype, elementCount, type Tensor } from "#protocol"
import { assertConforms, runModel } from "../support/conformance.ts"
import { type Forest, forest, type Said, said } from "../support/forests.ts"
import { tensor } from "../support/graphs.ts"
import { floatTensor, integerTensor, noise } from "../support/networks.ts"

const runner = createRunner()
after(() => runner.close())

type Input = readonly number[] | { dtype: Dtype; dims: readonly number[]; low?: number; high?: number }
type Case = {
  op: string
  domain?: string
  /** Dims of what the model takes: x0, x1, ... float32 between -scale and scale unless stated. */
  inputs: readonly Input[]
  /** By position; what is not listed is the next of `inputs`. */
  constants?: Readonly<Record<number, Tensor | "">>
  attributes?: Readonly<Record<string, AttributeSpec>>
  scale?: number
  positive?: boolean
  /** Added to what is positive. */
  above?: number
  outputs?: readonly ({ dtype: Dtype; dims: readonly number[] } | "")[]
  opset?: number
}

const ints = (...values: number[]): Tensor => tensor("int64", [values.length], values)
const scalar = (value: number): Tensor => tensor("float32", [], [value])
const byte = (value: number, dtype: Dtype = "uint8"): Tensor => tensor(dtype, [], [value])
const weights = (...dims: number[]): Tensor => floatTensor(dims, noise(elementCount(dims)), 0.5)
const bytes = (dtype: Dtype, ...dims: number[]): Tensor =>
  integerTensor(dtype, dims, noise(elementCount(dims)), dtype === "uint8" ? 0 : -128, dtype === "uint8" ? 255 : 127)
const float = (...dims: number[]) => [{ dtype: "float32" as Dtype, dims }]
const of = (dtype: Dtype, dims: readonly number[], low: number, high: number): Input => ({ dtype, dims, low, high })

const VOLUMES: readonly Volume[] = [
  { dims: [2, 4, 3, 4, 3] },
  {
    attributes: { pads: [1, 0, 2, 0, 1, 0], strides: [2, 1, 1], dilations: [1, 2, 1], group: 2 },
    filters: [6, 2, 2, 3, 3],
    dims: [2, 6, 3, 3, 5],
  },
  { attributes: { auto_pad: { s: "SAME_UPPER" }, strides: [2, 2, 2] }, dims: [2, 4, 3, 3, 3] },
]
type Volume = { attributes?: Case["attributes"]; filters?: readonly number[]; dims: readonly number[] }

const X = [2, 3, 8]
const unary = (op: string, more: Partial<Case> = {}): Case => ({
  op,
  inputs: [X],
  outputs: float(...X),
  scale: 6,
  ...more,
})
const image = (op: string, out: readonly number[], more: Partial<Case>): Case => ({
  op,
  inputs: [[2, 4, 9, 8]],
  outputs: float(...out),
  ...more,
})
const rnn = (
  op: string,
  gates: number,
  directions: number,
  attributes: Case["attributes"],
  more: Partial<Case> = {},
): Case => ({
  op,
  inputs: [[3, 2, 5]],
  constants: {
    1: weights(directions, gates * 4, 5),
    2: weights(directions, gates * 4, 4),
    3: weights(directions, gates * 8),
  },
  attributes: { hidden_size: 4, ...attributes },
  outputs:
    op === "LSTM"
      ? [...float(3, directions, 2, 4), ...float(directions, 2, 4), ...float(directions, 2, 4)]
      : [...float(3, directions, 2, 4), ...float(directions, 2, 4)],
  ...more,
})

const MICROSOFT = "com.microsoft"
const fused = (op: string, inputs: Case["inputs"], out: Case["outputs"], more: Partial<Case> = {}): Case => ({
  op,
  domain: MICROSOFT,
  inputs,
  outputs: out,
  ...more,
})
const int32s = (...values: number[]): Tensor => tensor("int32", [values.length], values)
/** Cosines and sines of the angles of eight positions, half a head's depth of four or eight. */
const angles = (half: number): { cos: Tensor; sin: Tensor } => {
  const of = (f: (x: number) => number) =>
    tensor(
      "float32",
      [8, half],
      Array.from({ length: 8 * half }, (_, e) => f(Math.floor(e / half) / 10 ** ((e % half) / half))),
    )
  return { cos: of(Math.cos), sin: of(Math.sin) }
}
const { cos: COS, sin: SIN } = angles(4)
const WIDE = angles(8)
const quantity = (low = 0, high = 255): Input => of("uint8", [2, 4, 6], low, high)
const scaleOf = scalar(0.02)
const zeroOf = byte(120)

/** Of onnxruntime itself: what its optimizer and quantizer write. */
const FUSED: Case[] = [
  fused("Gelu", [X], float(...X), { scale: 4 }),
  fused("BiasGelu", [X, [8]], float(...X), { scale: 4 }),
  fused("FastGelu", [X, [8]], float(...X), { scale: 2 }),
  fused("FastGelu", [X], float(...X), { scale: 4 }),
  fused("QuickGelu", [X], float(...X), { scale: 4, attributes: { alpha: { f: 1.5 } } }),
  fused(
    "FusedMatMul",
    [
      [2, 8, 3],
      [2, 5, 8],
    ],
    float(2, 3, 5),
    { attributes: { transA: 1, transB: 1, alpha: { f: 0.5 } } },
  ),
  fused("SkipLayerNormalization", [X, X], float(...X), {
    constants: { 2: weights(8), 3: weights(8), 4: weights(8) },
    attributes: { epsilon: { f: 1e-5 } },
  }),
  fused("SkipLayerNormalization", [X, X], [...float(...X), "", "", ...float(...X)], { constants: { 2: weights(8) } }),
  fused("SkipSimplifiedLayerNormalization", [X, X], [...float(...X), "", "", ...float(...X)], {
    constants: { 2: weights(8) },
    attributes: { epsilon: { f: 1e-6 } },
  }),
  fused(
    "EmbedLayerNormalization",
    [of("int32", [2, 5], 0, 9), of("int32", [2, 5], 0, 1)],
    [...float(2, 5, 8), { dtype: "int32", dims: [2] }],
    {
      constants: {
        2: weights(10, 8),
        3: weights(6, 8),
        4: weights(2, 8),
        5: weights(8),
        6: weights(8),
        7: tensor("int32", [2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]),
      },
    },
  ),
  ...[4, 8].flatMap((bits): Case[] => {
    const packed = { 1: bytes("uint8", 6, 3, (16 * bits) / 8), 2: weights(18) }
    const zeros = bytes("uint8", 6 * Math.ceil((3 * bits) / 8))
    return [packed, { ...packed, 3: zeros, 4: "" as const, 5: weights(6) }].map((constants) =>
      fused("MatMulNBits", [[3, 40]], float(3, 6), { constants, attributes: { K: 40, N: 6, bits, block_size: 16 } }),
    )
  }),
  fused("DynamicQuantizeMatMul", [X], float(2, 3, 5), {
    constants: { 1: bytes("uint8", 8, 5), 2: scalar(0.02), 3: byte(100), 4: weights(5) },
  }),
  fused("MatMulIntegerToFloat", [of("uint8", X, 0, 255)], float(2, 3, 5), {
    constants: { 1: bytes("uint8", 8, 5), 2: scalar(0.1), 3: scalar(0.02), 4: byte(99), 5: byte(100), 6: weights(5) },
  }),
  ...["QLinearAdd", "QLinearMul"].map((op) =>
    fused(op, [quantity(), quantity()], [{ dtype: "uint8", dims: [2, 4, 6] }], {
      constants: { 1: scaleOf, 2: zeroOf, 4: scalar(0.03), 5: byte(130), 6: scalar(0.05), 7: byte(128) },
    }),
  ),
  ...["QLinearSigmoid", "QLinearLeakyRelu"].map((op) =>
    fused(op, [quantity()], [{ dtype: "uint8", dims: [2, 4, 6] }], {
      constants: { 1: scaleOf, 2: zeroOf, 3: scalar(0.015), 4: byte(20) },
    }),
  ),
  fused("QLinearGlobalAveragePool", [of("uint8", [2, 4, 3, 5], 0, 255)], [{ dtype: "uint8", dims: [2, 4, 1, 1] }], {
    constants: { 1: scaleOf, 2: zeroOf, 3: scalar(0.015), 4: byte(110) },
  }),
  fused("QLinearGlobalAveragePool", [of("uint8", [2, 3, 5, 4], 0, 255)], [{ dtype: "uint8", dims: [2, 1, 1, 4] }], {
    constants: { 1: scaleOf, 2: zeroOf, 3: scalar(0.015), 4: byte(110) },
    attributes: { channels_last: 1 },
  }),
  fused("QLinearConcat", [quantity(), quantity()], [{ dtype: "uint8", dims: [2, 8, 6] }], {
    constants: { 0: scalar(0.04), 1: byte(125), 3: scaleOf, 4: zeroOf, 6: scalar(0.03), 7: byte(130) },
    attributes: { axis: 1 },
  }),
  fused("Attention", [[2, 5, 12]], float(2, 5, 16), {
    constants: { 1: weights(12, 48), 2: weights(48) },
    attributes: { num_heads: 2, unidirectional: 1 },
  }),
  fused("Attention", [[2, 5, 12]], float(2, 5, 16), {
    constants: { 1: weights(12, 48), 2: weights(48), 3: tensor("int32", [2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]) },
    attributes: { num_heads: 2, scale: { f: 0.4 } },
  }),
  fused("Attention", [[2, 5, 12]], float(2, 5, 16), {
    constants: { 1: weights(12, 48), 2: weights(48), 3: int32s(3, 5) },
    attributes: { num_heads: 2 },
  }),
  fused(
    "Attention",
    [
      [2, 3, 12],
      [2, 2, 2, 4, 8],
    ],
    [...float(2, 3, 16), ...float(2, 2, 2, 7, 8)],
    { constants: { 1: weights(12, 48), 2: weights(48), 3: "" }, attributes: { num_heads: 2, unidirectional: 1 } },
  ),
  fused(
    "MultiHeadAttention",
    [
      [2, 5, 16],
      [2, 6, 16],
      [2, 6, 12],
    ],
    float(2, 5, 12),
    { constants: { 3: weights(44) }, attributes: { num_heads: 2 } },
  ),
  fused(
    "MultiHeadAttention",
    [
      [2, 5, 16],
      [2, 5, 16],
      [2, 5, 16],
      [2, 2, 5, 5],
    ],
    float(2, 5, 16),
    {
      constants: { 3: "", 4: tensor("int32", [2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]) },
      attributes: { num_heads: 2, scale: { f: 0.5 } },
    },
  ),
  fused(
    "MultiHeadAttention",
    [
      [2, 3, 16],
      [2, 3, 16],
      [2, 3, 16],
      [2, 2, 4, 8],
      [2, 2, 4, 8],
    ],
    [...float(2, 3, 16), ...float(2, 2, 7, 8), ...float(2, 2, 7, 8)],
    { constants: { 3: "", 4: "", 5: "" }, attributes: { num_heads: 2, unidirectional: 1 } },
  ),
  fused(
    "GroupQueryAttention",
    [
      [2, 5, 64],
      [2, 5, 32],
      [2, 5, 32],
    ],
    [...float(2, 5, 64), ...float(2, 2, 5, 16), ...float(2, 2, 5, 16)],
    {
      constants: { 3: "", 4: "", 5: int32s(4, 4), 6: tensor("int32", [], [5]), 7: WIDE.cos, 8: WIDE.sin },
      attributes: { num_heads: 4, kv_num_heads: 2, do_rotary: 1 },
    },
  ),
  fused("GroupQueryAttention", [[1, 5, 128]], [...float(1, 5, 64), ...float(1, 2, 5, 16), ...float(1, 2, 5, 16)], {
    constants: { 1: "", 2: "", 3: "", 4: "", 5: int32s(4), 6: tensor("int32", [], [5]), 7: WIDE.cos, 8: WIDE.sin },
    attributes: { num_heads: 4, kv_num_heads: 2, do_rotary: 1, rotary_interleaved: 1, softcap: { f: 0.7 } },
  }),
  fused(
    "GroupQueryAttention",
    [
      [1, 1, 64],
      [1, 1, 32],
      [1, 1, 32],
      [1, 2, 6, 16],
      [1, 2, 6, 16],
    ],
    [...float(1, 1, 64), ...float(1, 2, 7, 16), ...float(1, 2, 7, 16)],
    {
      constants: { 5: int32s(6), 6: tensor("int32", [], [7]), 7: WIDE.cos, 8: WIDE.sin },
      attributes: { num_heads: 4, kv_num_heads: 2, do_rotary: 1, scale: { f: 0.3 } },
    },
  ),
  fused("RotaryEmbedding", [[2, 3, 5, 8]], float(2, 3, 5, 8), {
    constants: { 1: tensor("int64", [2, 5], [0, 1, 2, 3, 4, 3, 4, 5, 6, 7]), 2: COS, 3: SIN },
  }),
  fused("RotaryEmbedding", [[2, 5, 24]], float(2, 5, 24), {
    constants: { 1: ints(2), 2: COS, 3: SIN },
    attributes: { interleaved: 1 },
  }),
]

const CLASSICAL = "ai.onnx.ml"
const classical = (op: string, inputs: Case["inputs"], out: Case["outputs"], attributes: Case["attributes"]): Case => ({
  op,
  domain: CLASSICAL,
  inputs,
  outputs: out,
  attributes,
  scale: 2,
})

function regressor(params: Partial<Forest>, more: Case["attributes"] = {}, ids = [0]): Case {
  const { leaves, nodes } = forest({ trees: 5, depth: 4, features: 6, ...params })
  return classical("TreeEnsembleRegressor", [[7, 6]], float(7, ids.length), {
    n_targets: ids.length,
    ...nodes,
    ...said("target", leaves, { ids }),
    ...more,
  })
}
function classifier(saying: Said, labels: readonly number[], more: Case["attributes"] = {}): Case {
  const { leaves, nodes } = forest({ trees: 6, depth: 5, features: 6 })
  return classical("TreeEnsembleClassifier", [[9, 6]], [{ dtype: "int64", dims: [9] }, ...float(9, labels.length)], {
    classlabels_int64s: labels,
    ...nodes,
    ...said("class", leaves, saying),
    ...more,
  })
}
const some = (count: number): number[] => {
  const next = noise(count)
  return Array.from({ length: count }, next)
}

/** Of ai.onnx.ml: trees, linear models and what stands before and after them. */
const ESTIMATORS: Case[] = [
  regressor({}),
  regressor({ trees: 1, depth: 1 }, { base_values: { floats: [0.5] } }),
  regressor({ trees: 3, depth: 9 }, { aggregate_function: { s: "AVERAGE" }, post_transform: { s: "LOGISTIC" } }),
  regressor({ mode: "BRANCH_LT", missing: true }, { base_values: { floats: [0.1, -0.2, 0.3] } }, [0, 1, 2]),
  regressor({ missing: true }),
  regressor({}, { post_transform: { s: "LOGISTIC" } }, [0, 1]),
  ...["BRANCH_GTE", "BRANCH_GT", "BRANCH_NEQ", "BRANCH_EQ"].map((mode) => regressor({ mode, trees: 2 })),
  classifier({ ids: [0, 1, 2], low: 0 }, [3, 5, 9]),
  classifier({ ids: [0, 1, 2] }, [0, 1, 2], {
    post_transform: { s: "SOFTMAX" },
    base_values: { floats: [0.1, 0.2, 0.3] },
  }),
  classifier({ ids: [0, 1], low: 0 }, [0, 1]),
  classifier({ ids: [0, 1] }, [0, 1], { post_transform: { s: "LOGISTIC" } }),
  classifier({ ids: [0, 1] }, [4, 7]),
  classifier({ ids: [1], low: 0 }, [4, 7]),
  classifier({ ids: [1] }, [4, 7], { post_transform: { s: "LOGISTIC" } }),
  classifier({ ids: [0], low: 0 }, [4, 7]),
  classifier({ ids: [0] }, [0, 1], { post_transform: { s: "LOGISTIC" }, base_values: { floats: [0.3] } }),
  classifier({ ids: [0] }, [0, 1]),
  classical("LinearRegressor", [[5, 4]], float(5, 2), {
    coefficients: { floats: some(8) },
    intercepts: { floats: some(2) },
    targets: 2,
  }),
  classical("LinearClassifier", [[5, 4]], [{ dtype: "int64", dims: [5] }, ...float(5, 3)], {
    coefficients: { floats: some(12) },
    intercepts: { floats: some(3) },
    classlabels_ints: [2, 4, 6],
    post_transform: { s: "SOFTMAX" },
  }),
  classical("Scaler", [[5, 4]], float(5, 4), { offset: { floats: some(4) }, scale: { floats: [1, 2, 3, 4] } }),
  ...["MAX", "L1", "L2"].map((norm) => classical("Normalizer", [[5, 4]], float(5, 4), { norm: { s: norm } })),
  classical("Binarizer", [[5, 4]], float(5, 4), { threshold: { f: 0.25 } }),
  classical("Imputer", [[5, 4]], float(5, 4), {
    imputed_value_floats: { floats: [1, 2, 3, 4] },
    replaced_value_float: { f: Number.NaN },
  }),
  classical(
    "FeatureVectorizer",
    [
      [5, 4],
      [5, 2],
    ],
    float(5, 6),
    { inputdimensions: [4, 2] },
  ),
  { ...classical("ArrayFeatureExtractor", [[5, 4]], float(5, 2), {}), constants: { 1: ints(3, 1) } },
]

const CASES: Case[] = [
  ...FUSED,
  ...ESTIMATORS,
  ...[
    "Abs",
    "Neg",
    "Exp",
    "Tanh",
    "Sigmoid",
    "Erf",
    "Floor",
    "Ceil",
    "Round",
    "Relu",
    "Softsign",
    "Softplus",
    "HardSwish",
    "Sign",
    "Identity",
    "Sin",
    "Cos",
    "Sinh",
    "Cosh",
    "Atan",
    "Asinh",
  ].map((op) => unary(op)),
  ...["Tan", "Asin", "Acos", "Atanh"].map((op) => unary(op, { scale: 0.99 })),
  ...["Atan", "Sinh", "Asinh"].map((op) => unary(op, { scale: 0.3 })),
  ...[0.2, 6].map((scale) => unary("Acosh", { scale, positive: true, above: 1 })),
  unary("Swish", { attributes: { alpha: { f: 0.7 } }, opset: 24 }),
  image("MeanVarianceNormalization", [2, 4, 9, 8], {}),
  image("MeanVarianceNormalization", [2, 4, 9, 8], { attributes: { axes: [2, 3] } }),
  ...[1, 2].flatMap((p): Case[] => [
    image("GlobalLpPool", [2, 4, 1, 1], { attributes: { p } }),
    image("LpPool", [2, 4, 4, 4], { attributes: { p, kernel_shape: [2, 2], strides: [2, 2] } }),
    image("LpPool", [2, 4, 9, 8], { attributes: { p, kernel_shape: [3, 3], pads: [1, 1, 1, 1] } }),
  ]),
  unary("Sqrt", { positive: true }),
  unary("Log", { positive: true }),
  unary("Reciprocal", { positive: true }),
  unary("LeakyRelu", { attributes: { alpha: { f: 0.2 } } }),
  unary("PRelu", { constants: { 1: weights(3, 1) } }),
  unary("Elu", { attributes: { alpha: { f: 1.3 } } }),
  unary("Celu", { attributes: { alpha: { f: 0.7 } } }),
  unary("Selu"),
  unary("HardSigmoid", { attributes: { alpha: { f: 0.3 }, beta: { f: 0.4 } } }),
  unary("ThresholdedRelu", { attributes: { alpha: { f: 0.7 } } }),
  unary("Shrink", { attributes: { lambd: { f: 0.6 }, bias: { f: 0.1 } } }),
  unary("Mish", { opset: 18 }),
  unary("Gelu", { opset: 20 }),
  // Farther out the model itself is 1 - 1 where the program is small.
  unary("Gelu", { opset: 20, attributes: { approximate: { s: "tanh" } }, scale: 3 }),
  unary("Clip", { constants: { 1: scalar(-1), 2: scalar(2) } }),
  unary("Clip", { opset: 6, attributes: { min: { f: -1 }, max: { f: 2 } } }),
  unary("Clip", { constants: { 1: scalar(0), 2: scalar(6) } }),
  ...[2, 3, 0.5, -1, 1.5, 4, 0, 1, -2, 2.7].map((p) => unary("Pow", { positive: true, constants: { 1: scalar(p) } })),
  unary("Pow", { constants: { 1: scalar(3) } }),
  unary("Pow", { inputs: [X, X], scale: 3, positive: true }),
  unary("Pow", { constants: { 0: scalar(2) } }),
  unary("IsNaN", { outputs: [{ dtype: "bool", dims: X }] }),
  unary("IsInf", { outputs: [{ dtype: "bool", dims: X }], opset: 10 }),
  ...["Add", "Sub", "Mul", "Max", "Min"].map((op) => unary(op, { inputs: [X, [3, 1]] })),
  unary("Div", { inputs: [X, [3, 1]], positive: true }),
  unary("Sum", { inputs: [X, [8], X] }),
  unary("Mean", { inputs: [X, X, X] }),
  ...["Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"].map((op) =>
    unary(op, { inputs: [X, X], outputs: [{ dtype: "bool", dims: X }] }),
  ),
  ...["Add", "Sub", "Mul", "Max", "Min"].map((op) => ({
    op,
    inputs: [of("int32", X, -5e8, 5e8), of("int32", [8], -50, 50)],
    outputs: [{ dtype: "int32" as Dtype, dims: X }],
  })),
  {
    op: "Div",
    inputs: [of("int64", X, -1000, 1000)],
    constants: { 1: tensor("int64", [8], [1, 2, 3, -4, 5, 6, 7, 800]) },
    outputs: [{ dtype: "int64", dims: X }],
  },
  {
    op: "Mod",
    inputs: [of("int64", X, -1000, 1000)],
    constants: { 1: tensor("int64", [8], [1, 2, 3, -4, 5, 6, 7, 800]) },
    outputs: [{ dtype: "int64", dims: X }],
  },
  ...["And", "Or", "Xor"].map((op) => ({
    op,
    inputs: [of("bool", X, 0, 1), of("bool", [8], 0, 1)],
    outputs: [{ dtype: "bool" as Dtype, dims: X }],
  })),
  { op: "Not", inputs: [of("bool", X, 0, 1)], outputs: [{ dtype: "bool", dims: X }] },
  { op: "Where", inputs: [of("bool", X, 0, 1), X, [8]], outputs: float(...X) },
  ...[6, 7, 2, 3, 9].map((to) => ({
    op: "Cast",
    inputs: [X],
    attributes: { to },
    scale: 100,
    positive: to === 2,
    outputs: [{ dtype: ({ 6: "int32", 7: "int64", 2: "uint8", 3: "int8", 9: "bool" } as const)[to]!, dims: X }],
  })),
  { op: "Cast", inputs: [of("int64", X, -(2 ** 52), 2 ** 52)], attributes: { to: 1 }, outputs: float(...X) },
  { op: "Cast", inputs: [of("uint8", X, 0, 255)], attributes: { to: 1 }, outputs: float(...X) },
  // views
  { op: "Reshape", inputs: [X], constants: { 1: ints(0, -1, 4) }, outputs: float(2, 6, 4) },
  { op: "Flatten", inputs: [[2, 3, 4, 5]], attributes: { axis: 2 }, outputs: float(6, 20) },
  { op: "Squeeze", inputs: [[1, 3, 1, 4]], constants: { 1: ints(-2) }, outputs: float(1, 3, 4) },
  { op: "Squeeze", inputs: [[1, 3, 1, 4]], opset: 11, attributes: { axes: [0, 2] }, outputs: float(3, 4) },
  { op: "Unsqueeze", inputs: [[3, 4]], constants: { 1: ints(0, -1) }, outputs: float(1, 3, 4, 1) },
  { op: "Transpose", inputs: [[2, 3, 4, 5]], attributes: { perm: [3, 1, 0, 2] }, outputs: float(5, 3, 2, 4) },
  { op: "Transpose", inputs: [[2, 3]], outputs: float(3, 2) },
  {
    op: "Slice",
    inputs: [[5, 6, 7]],
    constants: { 1: ints(-1, 1), 2: ints(-1000, 100), 3: ints(2, 0), 4: ints(-2, 3) },
    outputs: float(2, 6, 4),
  },
  {
    op: "Slice",
    inputs: [[5, 6, 7]],
    opset: 9,
    attributes: { starts: [1, -3], ends: [4, 1000], axes: [1, 2] },
    outputs: float(5, 3, 3),
  },
  {
    op: "Split",
    inputs: [[2, 9]],
    constants: { 1: ints(2, 3, 4) },
    attributes: { axis: 1 },
    outputs: [...float(2, 2), ...float(2, 3), ...float(2, 4)],
  },
  { op: "Split", inputs: [[2, 9]], attributes: { axis: 1 }, outputs: [...float(2, 3), ...float(2, 3), ...float(2, 3)] },
  {
    op: "Split",
    inputs: [[2, 10]],
    opset: 18,
    attributes: { axis: 1, num_outputs: 3 },
    outputs: [...float(2, 4), ...float(2, 4), ...float(2, 2)],
  },
  {
    op: "Concat",
    inputs: [
      [2, 3],
      [2, 5],
      [2, 1],
    ],
    attributes: { axis: -1 },
    outputs: float(2, 9),
  },
  { op: "Concat", inputs: Array.from({ length: 70 }, () => [2, 1]), attributes: { axis: 1 }, outputs: float(2, 70) },
  { op: "Expand", inputs: [[3, 1]], constants: { 1: ints(2, 1, 4) }, outputs: float(2, 3, 4) },
  { op: "Tile", inputs: [[2, 3]], constants: { 1: ints(2, 3) }, outputs: float(4, 9) },
  { op: "Pad", inputs: [[3, 4]], constants: { 1: ints(1, 0, 2, 3), 2: scalar(0.5) }, outputs: float(6, 7) },
  { op: "Pad", inputs: [[3, 4]], constants: { 1: ints(0, -1, 2, -1) }, outputs: float(5, 2) },
  ...["reflect", "edge"].map((mode) => ({
    op: "Pad",
    inputs: [[3, 4]],
    constants: { 1: ints(2, 1, 1, 3) },
    attributes: { mode: { s: mode } },
    outputs: float(6, 8),
  })),
  { op: "Gather", inputs: [[5, 4]], constants: { 1: tensor("int64", [2, 2], [0, -1, 3, 2]) }, outputs: float(2, 2, 4) },
  { op: "Gather", inputs: [[5, 4], of("int32", [3], -4, 3)], attributes: { axis: 1 }, outputs: float(5, 3) },
  {
    op: "GatherElements",
    inputs: [[4, 5], of("int32", [3, 5], -4, 3)],
    attributes: { axis: 0 },
    outputs: float(3, 5),
  },
  {
    op: "GatherND",
    inputs: [[3, 4, 5]],
    constants: { 1: tensor("int64", [2, 2], [0, -1, 2, 3]) },
    outputs: float(2, 5),
  },
  { op: "GatherND", inputs: [[3, 4], of("int64", [2, 3, 2], -3, 2)], outputs: float(2, 3) },
  { op: "GatherND", inputs: [[6], of("int64", [1], -6, 5)], outputs: float() },
  {
    op: "GatherND",
    inputs: [[2, 3, 4, 5], of("int64", [2, 3, 7, 1], -4, 3)],
    attributes: { batch_dims: 2 },
    outputs: float(2, 3, 7, 5),
  },
  {
    op: "ScatterND",
    inputs: [
      [4, 3],
      [2, 3],
    ],
    constants: { 1: tensor("int64", [2, 1], [3, -4]) },
    outputs: float(4, 3),
  },
  { op: "ScatterND", inputs: [[4, 3], of("int64", [5, 1], -4, 3), [5, 3]], outputs: float(4, 3) },
  { op: "ScatterND", inputs: [[4, 3], of("int64", [9, 2], 0, 2), [9]], outputs: float(4, 3) },
  ...["add", "mul", "max", "min"].map(
    (reduction): Case => ({
      op: "ScatterND",
      inputs: [
        [4, 3],
        [2, 3],
      ],
      constants: { 1: tensor("int64", [2, 1], [3, 1]) },
      attributes: { reduction: { s: reduction } },
      outputs: float(4, 3),
      opset: 18,
    }),
  ),
  {
    op: "ScatterElements",
    inputs: [
      [3, 6],
      [2, 6],
    ],
    constants: { 1: tensor("int64", [2, 6], [0, 1, 2, 0, -1, 2, 2, 0, 1, -2, 0, 0]) },
    outputs: float(3, 6),
  },
  {
    op: "ScatterElements",
    inputs: [of("int64", [3, 6], -9, 9), of("int32", [3, 2], -6, 5), of("int64", [3, 2], -9, 9)],
    attributes: { axis: 1 },
    outputs: [{ dtype: "int64", dims: [3, 6] }],
  },
  {
    op: "Scatter",
    inputs: [
      [3, 6],
      [1, 6],
    ],
    constants: { 1: tensor("int64", [1, 6], [0, 1, 2, 0, 1, 2]) },
    outputs: float(3, 6),
    opset: 10,
  },
  ...[0, 1].flatMap((largest) =>
    [
      [-1, [2, 3, 3]],
      [1, [2, 3, 8]],
    ].map(
      ([axis, dims]): Case => ({
        op: "TopK",
        inputs: [X],
        constants: { 1: ints(3) },
        attributes: { largest, axis: axis as number },
        outputs: [
          { dtype: "float32", dims: dims as number[] },
          { dtype: "int64", dims: dims as number[] },
        ],
      }),
    ),
  ),
  ...(
    [
      [
        "ij,jk->ik",
        [
          [3, 4],
          [4, 5],
        ],
        [3, 5],
      ],
      [
        "bhqd,bhkd->bhqk",
        [
          [2, 2, 3, 4],
          [2, 2, 5, 4],
        ],
        [2, 2, 3, 5],
      ],
      [
        "bqhd,bkhd->bhqk",
        [
          [2, 3, 2, 4],
          [2, 5, 2, 4],
        ],
        [2, 2, 3, 5],
      ],
      ["i,j->ij", [[3], [4]], [3, 4]],
      ["i,i", [[5], [5]], []],
      ["bij->bji", [[2, 3, 4]], [2, 4, 3]],
      ["bij->b", [[2, 3, 4]], [2]],
      ["ii->i", [[4, 4]], [4]],
      ["bii", [[2, 4, 4]], [2]],
      [
        "...ij,...jk->...ik",
        [
          [2, 3, 4],
          [2, 4, 2],
        ],
        [2, 3, 2],
      ],
      ["...d,d", [[2, 3, 4], [4]], [2, 3]],
      [
        "ab,bc,cd->ad",
        [
          [2, 3],
          [3, 4],
          [4, 5],
        ],
        [2, 5],
      ],
      [
        "bl,bld,kd -> blk",
        [
          [2, 3],
          [2, 3, 4],
          [5, 4],
        ],
        [2, 3, 5],
      ],
      [
        "ij,kl->j",
        [
          [3, 4],
          [2, 5],
        ],
        [4],
      ],
    ] as const
  ).map(
    ([equation, inputs, dims]): Case => ({
      op: "Einsum",
      inputs,
      attributes: { equation: { s: equation } },
      outputs: float(...dims),
    }),
  ),
  ...VOLUMES.map(
    ({ attributes, filters = [4, 4, 3, 3, 3], dims }: Volume): Case => ({
      op: "Conv",
      inputs: [[2, 4, 5, 6, 5]],
      constants: { 1: weights(...filters), 2: weights(filters[0]!) },
      attributes,
      outputs: float(...dims),
    }),
  ),
  {
    op: "MaxPool",
    inputs: [[2, 3, 5, 6, 4]],
    attributes: { kernel_shape: [3, 2, 2], pads: [1, 0, 1, 1, 1, 0], strides: [2, 2, 1] },
    outputs: float(2, 3, 3, 3, 4),
  },
  {
    op: "MaxPool",
    inputs: [of("uint8", [1, 2, 4, 4, 4], 0, 255)],
    attributes: { kernel_shape: [2, 2, 2] },
    outputs: [{ dtype: "uint8", dims: [1, 2, 3, 3, 3] }],
  },
  ...[0, 1].map(
    (count_include_pad): Case => ({
      op: "AveragePool",
      inputs: [[2, 3, 5, 6, 4]],
      attributes: { kernel_shape: [3, 2, 2], pads: [1, 0, 1, 1, 1, 0], strides: [2, 2, 1], count_include_pad },
      outputs: float(2, 3, 3, 3, 4),
    }),
  ),
  { op: "GlobalAveragePool", inputs: [[2, 3, 4, 5, 2]], outputs: float(2, 3, 1, 1, 1) },
  { op: "LRN", inputs: [[2, 6, 4, 4]], attributes: { size: 3 }, outputs: float(2, 6, 4, 4), scale: 6 },
  {
    op: "LRN",
    inputs: [[1, 5, 3, 3]],
    attributes: { size: 5, alpha: { f: 0.5 }, beta: { f: 0.5 }, bias: { f: 2 } },
    outputs: float(1, 5, 3, 3),
  },
  {
    op: "Attention",
    inputs: [
      [2, 4, 5, 8],
      [2, 2, 6, 8],
      [2, 2, 6, 3],
    ],
    outputs: float(2, 4, 5, 3),
    opset: 23,
  },
  {
    op: "Attention",
    inputs: [
      [2, 5, 32],
      [2, 5, 16],
      [2, 5, 16],
    ],
    attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, scale: { f: 0.3 } },
    outputs: float(2, 5, 32),
    opset: 23,
  },
  {
    op: "Attention",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [3, 5],
      [1, 2, 2, 4],
      [1, 2, 2, 4],
    ],
    outputs: [...float(1, 2, 3, 4), ...float(1, 2, 5, 4), ...float(1, 2, 5, 4)],
    opset: 23,
  },
  {
    op: "Attention",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 5, 4],
      [1, 2, 5, 4],
    ],
    attributes: { softcap: { f: 0.2 } },
    outputs: float(1, 2, 3, 4),
    opset: 23,
    scale: 3,
  },
  {
    op: "Attention",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 5, 4],
      [1, 2, 5, 4],
      [3, 5],
    ],
    attributes: { softcap: { f: 0.7 } },
    outputs: float(1, 2, 3, 4),
    opset: 23,
    scale: 3,
  },
  {
    op: "Attention",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 2, 4],
      [1, 2, 2, 4],
    ],
    constants: { 3: "" },
    attributes: { is_causal: 1 },
    outputs: [...float(1, 2, 3, 4), ...float(1, 2, 5, 4), ...float(1, 2, 5, 4)],
    opset: 23,
    scale: 3,
  },
  ...[0, 1].flatMap((interleaved): Case[] => [
    {
      op: "RotaryEmbedding",
      inputs: [
        [2, 3, 5, 8],
        [2, 5, 4],
        [2, 5, 4],
      ],
      attributes: { interleaved },
      outputs: float(2, 3, 5, 8),
      opset: 23,
    },
    {
      op: "RotaryEmbedding",
      inputs: [[2, 5, 24], [9, 2], [9, 2], of("int64", [2, 5], 0, 8)],
      attributes: { interleaved, num_heads: 3, rotary_embedding_dim: 4 },
      outputs: float(2, 5, 24),
      opset: 23,
    },
  ]),
  {
    op: "GatherElements",
    inputs: [[3, 4]],
    constants: { 1: tensor("int64", [3, 2], [0, -1, 3, 2, 1, 1]) },
    attributes: { axis: 1 },
    outputs: float(3, 2),
  },
  { op: "DepthToSpace", inputs: [[1, 8, 2, 3]], attributes: { blocksize: 2 }, outputs: float(1, 2, 4, 6) },
  {
    op: "DepthToSpace",
    inputs: [[1, 8, 2, 3]],
    attributes: { blocksize: 2, mode: { s: "CRD" } },
    outputs: float(1, 2, 4, 6),
  },
  { op: "SpaceToDepth", inputs: [[1, 2, 4, 6]], attributes: { blocksize: 2 }, outputs: float(1, 8, 2, 3) },
  { op: "Trilu", inputs: [[2, 4, 5]], constants: { 1: tensor("int64", [], [1]) }, outputs: float(2, 4, 5) },
  { op: "Trilu", inputs: [[4, 4]], attributes: { upper: 0 }, outputs: float(4, 4) },
  {
    op: "OneHot",
    inputs: [of("int64", [2, 3], -4, 3)],
    constants: { 1: ints(4), 2: tensor("float32", [2], [0.5, 2]) },
    outputs: float(2, 3, 4),
  },
  {
    op: "OneHot",
    inputs: [of("int64", [2, 3], 0, 3)],
    constants: { 1: ints(4), 2: tensor("float32", [2], [0, 1]) },
    attributes: { axis: 1 },
    outputs: float(2, 4, 3),
  },
  { op: "EyeLike", inputs: [[3, 4]], attributes: { k: 1 }, outputs: float(3, 4) },
  // sums
  { op: "MatMul", inputs: [[2, 3, 8]], constants: { 1: weights(8, 5) }, outputs: float(2, 3, 5) },
  {
    op: "MatMul",
    inputs: [
      [2, 3, 8],
      [8, 5],
    ],
    outputs: float(2, 3, 5),
  },
  {
    op: "MatMul",
    inputs: [
      [2, 3, 8],
      [2, 8, 5],
    ],
    outputs: float(2, 3, 5),
  },
  { op: "MatMul", inputs: [[3, 8]], constants: { 1: weights(2, 8, 5) }, outputs: float(2, 3, 5) },
  {
    op: "MatMul",
    inputs: [
      [2, 1, 8],
      [2, 8, 5],
    ],
    outputs: float(2, 1, 5),
  },
  {
    op: "MatMul",
    inputs: [
      [2, 3, 8],
      [2, 8, 1],
    ],
    outputs: float(2, 3, 1),
  },
  {
    op: "MatMul",
    inputs: [
      [1, 8],
      [8, 1],
    ],
    outputs: float(1, 1),
  },
  { op: "MatMul", inputs: [[8], [8]], outputs: float() },
  { op: "MatMul", inputs: [[8], [2, 8, 3]], outputs: float(2, 3) },
  { op: "MatMul", inputs: [[2, 3, 8], [8]], outputs: float(2, 3) },
  { op: "MatMul", inputs: [[8, 3]], constants: { 0: weights(4, 8) }, outputs: float(4, 3) },
  { op: "MatMul", inputs: [[1, 600]], constants: { 1: weights(600, 3) }, outputs: float(1, 3) },
  {
    op: "MatMul",
    inputs: [
      [3, 700],
      [700, 20],
    ],
    outputs: float(3, 20),
  },
  {
    op: "MatMul",
    inputs: [
      [3, 40],
      [40, 300],
    ],
    outputs: float(3, 300),
  },
  { op: "MatMul", inputs: [[2, 3, 700]], constants: { 1: weights(2, 700, 20) }, outputs: float(2, 3, 20) },
  {
    op: "Gemm",
    inputs: [[8, 3]],
    constants: { 1: weights(5, 8), 2: weights(5) },
    attributes: { transA: 1, transB: 1, alpha: { f: 0.5 }, beta: { f: 2 } },
    outputs: float(3, 5),
  },
  {
    op: "Gemm",
    inputs: [
      [3, 8],
      [8, 5],
    ],
    outputs: float(3, 5),
  },
  ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((op): Case[] => [
    unary(op, { attributes: { axis: -1 } }),
    unary(op, { attributes: { axis: 1 } }),
    unary(op, { opset: 11, attributes: { axis: 1 } }),
  ]),
  ...[
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    "ReduceProd",
  ].flatMap((op): Case[] => {
    const axes = (...list: number[]): Partial<Case> =>
      op === "ReduceSum" ? { constants: { 1: ints(...list) } } : { attributes: { axes: list } }
    return [
      { op, inputs: [X], outputs: float(2, 3, 1), ...axes(-1) },
      { op, inputs: [X], outputs: float(1, 3, 1), ...axes(0, 2) },
      { op, inputs: [X], outputs: float(), attributes: { keepdims: 0 } },
    ]
  }),
  {
    op: "ReduceSum",
    inputs: [of("int64", X, -(2 ** 40), 2 ** 40)],
    constants: { 1: ints(1) },
    outputs: [{ dtype: "int64", dims: [2, 1, 8] }],
  },
  {
    op: "ReduceMax",
    inputs: [of("int32", X, -99, 99)],
    attributes: { axes: [1], keepdims: 0 },
    outputs: [{ dtype: "int32", dims: [2, 8] }],
  },
  ...["ArgMax", "ArgMin"].flatMap((op): Case[] => [
    { op, inputs: [X], attributes: { axis: 1, keepdims: 0 }, outputs: [{ dtype: "int64", dims: [2, 8] }] },
    { op, inputs: [of("int32", X, -2, 2)], attributes: { axis: -1 }, outputs: [{ dtype: "int64", dims: [2, 3, 1] }] },
  ]),
  { op: "CumSum", inputs: [X], constants: { 1: tensor("int64", [], [1]) }, outputs: float(...X) },
  {
    op: "CumSum",
    inputs: [X],
    constants: { 1: tensor("int64", [], [2]) },
    attributes: { exclusive: 1, reverse: 1 },
    outputs: float(...X),
  },
  unary("LayerNormalization", { constants: { 1: weights(8), 2: weights(8) } }),
  unary("LayerNormalization", { constants: { 1: weights(3, 8) }, attributes: { axis: 1 } }),
  unary("LpNormalization", { attributes: { axis: 1, p: 2 } }),
  // images
  image("Conv", [2, 6, 9, 8], {
    constants: { 1: weights(6, 4, 3, 3), 2: weights(6) },
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
  }),
  image("Conv", [2, 6, 4, 4], {
    constants: { 1: weights(6, 2, 3, 3) },
    attributes: { strides: [2, 2], pads: [0, 1, 0, 1], group: 2 },
  }),
  image("Conv", [2, 4, 9, 8], {
    constants: { 1: weights(4, 1, 3, 3) },
    attributes: { group: 4, pads: [2, 2, 2, 2], dilations: [2, 2] },
  }),
  image("Conv", [2, 1, 1, 1], { constants: { 1: weights(1, 4, 9, 8) }, attributes: { kernel_shape: [9, 8] } }),
  image("Conv", [2, 6, 5, 4], {
    constants: { 1: weights(6, 4, 3, 3) },
    attributes: { auto_pad: { s: "SAME_UPPER" }, strides: [2, 2] },
  }),
  image("Conv", [2, 6, 5, 4], {
    constants: { 1: weights(6, 4, 2, 2) },
    attributes: { auto_pad: { s: "SAME_LOWER" }, strides: [2, 2] },
  }),
  { op: "Conv", inputs: [[1, 32, 20, 20]], constants: { 1: weights(8, 32, 3, 3) }, outputs: float(1, 8, 18, 18) },
  {
    op: "Conv",
    inputs: [[2, 4, 30]],
    constants: { 1: weights(6, 4, 5), 2: weights(6) },
    attributes: { pads: [2, 2], strides: [2] },
    outputs: float(2, 6, 15),
  },
  {
    op: "Conv",
    inputs: [
      [1, 3, 6, 6],
      [5, 3, 3, 3],
    ],
    outputs: float(1, 5, 4, 4),
  },
  image("ConvTranspose", [2, 5, 18, 17], {
    constants: { 1: weights(4, 5, 3, 3), 2: weights(5) },
    attributes: { strides: [2, 2], pads: [1, 0, 1, 1], output_padding: [1, 1] },
  }),
  image("ConvTranspose", [2, 6, 11, 10], { constants: { 1: weights(4, 3, 3, 3) }, attributes: { group: 2 } }),
  image("ConvTranspose", [2, 5, 7, 6], {
    constants: { 1: weights(4, 5, 2, 2) },
    attributes: { dilations: [2, 2], pads: [2, 2, 2, 2] },
  }),
  ...(
    [
      [{ strides: [2, 2, 2] }, [4, 3, 2, 2, 2], [2, 3, 6, 8, 10]],
      [{ strides: [2, 1, 3], pads: [1, 0, 1, 0, 1, 2], output_padding: [1, 0, 2] }, [4, 3, 3, 2, 3], [2, 3, 7, 4, 14]],
      [{ group: 2, dilations: [1, 2, 1], pads: [3, 1, 0, 1, 1, 2] }, [4, 3, 3, 2, 2], [2, 6, 1, 4, 4]],
      [{ strides: [2, 2, 2], auto_pad: { s: "SAME_UPPER" } }, [4, 3, 3, 3, 3], [2, 3, 6, 8, 10]],
    ] as const
  ).map(
    ([attributes, filters, out]): Case => ({
      op: "ConvTranspose",
      inputs: [[2, 4, 3, 4, 5]],
      constants: { 1: weights(...filters), 2: weights(out[1]) },
      attributes,
      outputs: float(...out),
    }),
  ),
  {
    op: "ConvTranspose",
    inputs: [[2, 4, 7]],
    constants: { 1: weights(4, 3, 3) },
    attributes: { strides: [2], output_shape: [14] },
    outputs: float(2, 3, 14),
  },
  image("MaxPool", [2, 4, 4, 4], { attributes: { kernel_shape: [2, 2], strides: [2, 2] } }),
  image("MaxPool", [2, 4, 5, 4], {
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], ceil_mode: 1 },
  }),
  image("MaxPool", [2, 4, 5, 4], { attributes: { kernel_shape: [3, 3], dilations: [2, 2] } }),
  { op: "MaxPool", inputs: [[1, 2, 9]], attributes: { kernel_shape: [3], strides: [2] }, outputs: float(1, 2, 4) },
  image("AveragePool", [2, 4, 8, 7], { attributes: { kernel_shape: [2, 2] } }),
  image("AveragePool", [2, 4, 9, 8], { attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } }),
  image("AveragePool", [2, 4, 9, 8], {
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 },
  }),
  image("GlobalAveragePool", [2, 4, 1, 1], {}),
  image("GlobalMaxPool", [2, 4, 1, 1], {}),
  image("BatchNormalization", [2, 4, 9, 8], {
    constants: { 1: weights(4), 2: weights(4), 3: weights(4), 4: tensor("float32", [4], [1, 0.5, 2, 0.1]) },
  }),
  image("InstanceNormalization", [2, 4, 9, 8], { constants: { 1: weights(4), 2: weights(4) } }),
  image("GroupNormalization", [2, 4, 9, 8], {
    opset: 21,
    constants: { 1: weights(4), 2: weights(4) },
    attributes: { num_groups: 2 },
  }),
  image("Resize", [2, 4, 18, 16], {
    constants: { 1: "", 2: tensor("float32", [4], [1, 1, 2, 2]) },
    attributes: {
      mode: { s: "nearest" },
      coordinate_transformation_mode: { s: "asymmetric" },
      nearest_mode: { s: "floor" },
    },
  }),
  image("Resize", [2, 4, 18, 16], {
    constants: { 1: "", 2: tensor("float32", [4], [1, 1, 2, 2]) },
    attributes: { mode: { s: "linear" } },
  }),
  image("Resize", [2, 4, 12, 5], {
    constants: { 1: "", 2: "", 3: ints(2, 4, 12, 5) },
    attributes: { mode: { s: "linear" }, coordinate_transformation_mode: { s: "align_corners" } },
  }),
  // steps
  rnn("LSTM", 4, 1, {}),
  rnn("LSTM", 4, 2, { direction: { s: "bidirectional" } }),
  rnn(
    "LSTM",
    4,
    1,
    { direction: { s: "reverse" } },
    {
      constants: {
        1: weights(1, 16, 5),
        2: weights(1, 16, 4),
        3: weights(1, 32),
        4: "",
        5: weights(1, 2, 4),
        6: weights(1, 2, 4),
        7: weights(1, 12),
      },
    },
  ),
  rnn("GRU", 3, 1, {}),
  rnn("GRU", 3, 2, { direction: { s: "bidirectional" }, linear_before_reset: 1 }),
  rnn("RNN", 1, 2, { direction: { s: "bidirectional" } }),
  // bytes
  unary("QuantizeLinear", { constants: { 1: scalar(0.05), 2: byte(100) }, outputs: [{ dtype: "uint8", dims: X }] }),
  unary("QuantizeLinear", {
    constants: { 1: scalar(0.05), 2: byte(-3, "int8") },
    outputs: [{ dtype: "int8", dims: X }],
  }),
  unary("QuantizeLinear", {
    constants: { 1: tensor("float32", [3], [0.05, 0.02, 0.1]), 2: tensor("uint8", [3], [1, 128, 255]) },
    attributes: { axis: 1 },
    outputs: [{ dtype: "uint8", dims: X }],
  }),
  {
    op: "DequantizeLinear",
    inputs: [of("uint8", X, 0, 255)],
    constants: { 1: scalar(0.05), 2: byte(100) },
    outputs: float(...X),
  },
  {
    op: "DequantizeLinear",
    inputs: [of("int8", X, -128, 127)],
    constants: { 1: tensor("float32", [8], [1, 2, 3, 4, 5, 6, 7, 8]) },
    attributes: { axis: 2 },
    outputs: float(...X),
  },
  {
    op: "DynamicQuantizeLinear",
    inputs: [X],
    outputs: [{ dtype: "uint8", dims: X }, ...float(), { dtype: "uint8", dims: [] }],
  },
  {
    op: "MatMulInteger",
    inputs: [of("uint8", [3, 8], 0, 255)],
    constants: { 1: bytes("uint8", 8, 5), 2: byte(7), 3: byte(200) },
    outputs: [{ dtype: "int32", dims: [3, 5] }],
  },
  {
    op: "MatMulInteger",
    inputs: [of("uint8", [3, 8], 0, 255)],
    constants: { 1: bytes("int8", 8, 5) },
    outputs: [{ dtype: "int32", dims: [3, 5] }],
  },
  {
    op: "MatMulInteger",
    inputs: [of("int8", [3, 8], -128, 127), of("int8", [8, 5], -128, 127)],
    constants: { 2: byte(7, "int8"), 3: byte(-9, "int8") },
    outputs: [{ dtype: "int32", dims: [3, 5] }],
  },
  {
    op: "MatMulInteger",
    inputs: [of("uint8", [3, 8], 0, 255), of("uint8", [], 0, 255)],
    constants: { 1: bytes("uint8", 8, 5), 3: tensor("uint8", [5], [1, 2, 3, 4, 250]) },
    outputs: [{ dtype: "int32", dims: [3, 5] }],
  },
  {
    op: "QLinearMatMul",
    inputs: [of("uint8", [3, 8], 0, 255)],
    constants: {
      1: scalar(0.02),
      2: byte(100),
      3: bytes("uint8", 8, 5),
      4: scalar(0.01),
      5: byte(120),
      6: scalar(0.05),
      7: byte(90),
    },
    outputs: [{ dtype: "uint8", dims: [3, 5] }],
  },
  {
    op: "ConvInteger",
    inputs: [of("uint8", [1, 3, 6, 6], 0, 255)],
    constants: { 1: bytes("uint8", 4, 3, 3, 3), 2: byte(99), 3: byte(120) },
    attributes: { pads: [1, 1, 1, 1] },
    outputs: [{ dtype: "int32", dims: [1, 4, 6, 6] }],
  },
  {
    op: "QLinearConv",
    inputs: [of("uint8", [1, 3, 6, 6], 0, 255)],
    constants: {
      1: scalar(0.02),
      2: byte(100),
      3: bytes("uint8", 4, 3, 3, 3),
      4: scalar(0.01),
      5: byte(120),
      6: scalar(0.3),
      7: byte(90),
      8: tensor("int32", [4], [100, -200, 3000, 0]),
    },
    attributes: { pads: [1, 1, 1, 1] },
    outputs: [{ dtype: "uint8", dims: [1, 4, 6, 6] }],
  },
  {
    op: "QLinearConv",
    inputs: [of("uint8", [1, 4, 6, 6], 0, 255)],
    constants: {
      1: scalar(0.02),
      2: byte(100),
      3: bytes("int8", 4, 1, 3, 3),
      4: tensor("float32", [4], [0.01, 0.02, 0.03, 0.01]),
      5: tensor("int8", [4], [0, 0, 0, 0]),
      6: scalar(0.1),
      7: byte(90),
    },
    attributes: { group: 4 },
    outputs: [{ dtype: "uint8", dims: [1, 4, 4, 4] }],
  },
]

function build({ op, domain, inputs, constants = {}, attributes, outputs = [], opset = 17 }: Case): Uint8Array {
  const names: string[] = []
  const fed: ModelSpec["inputs"][number][] = []
  const initializers: Record<string, Tensor> = {}
  const last = Math.max(inputs.length + Object.keys(constants).length - 1, ...Object.keys(constants).map(Number))
  for (let at = 0; at <= last; at++) {
    const constant = constants[at]
    if (constant === "") names.push("")
    else if (constant) {
      names.push(`c${at}`)
      initializers[`c${at}`] = constant
    } else if (fed.length < inputs.length) {
      const given = inputs[fed.length]!
      names.push(`x${fed.length}`)
      fed.push({ name: `x${fed.length}`, ...("dims" in given ? given : { dtype: "float32" as Dtype, dims: given }) })
    }
  }
  return writeModel({
    name: op,
    nodes: [
      { op, domain, inputs: names, outputs: outputs.map((output, i) => (output === "" ? "" : `y${i}`)), attributes },
    ],
    inputs: fed,
    outputs: outputs.flatMap((output, i) => (output === "" ? [] : [{ name: `y${i}`, ...output }])),
    initializers,
    opset,
    irVersion: 9,
  })
}

function feed({ inputs, scale = 1, positive = false, above = 0 }: Case, seed: number): Tensor[] {
  return inputs.map((given, i) => {
    const next = noise(seed * 100 + i)
    if (!("dims" in given))
      return floatTensor(given, positive ? () => Math.abs(next()) + 0.01 + above / scale : next, scale)
    return integerTensor(given.dtype, given.dims, next, given.low ?? 0, given.high ?? 1)
  })
}

for (const [i, item] of CASES.entries())
  test(`behavior: ${item.op} is exact and right (${i}${item.attributes ? `, ${JSON.stringify(item.attributes).slice(0, 150)}` : ""})`, async () => {
    const model = build(item)
    const inputs = feed(item, i + 1)
    await assertConforms(runner, model, inputs, await runModel(runner, model, inputs))
  })

const GROUPED: Case = fused(
  "GroupQueryAttention",
  [
    [1, 1, 64],
    [1, 1, 32],
    [1, 1, 32],
    [1, 2, 6, 16],
    [1, 2, 6, 16],
  ],
  [...float(1, 1, 64), ...float(1, 2, 7, 16), ...float(1, 2, 7, 16)],
  { constants: { 5: int32s(6), 6: tensor("int32", [], [7]) }, attributes: { num_heads: 4, kv_num_heads: 2 } },
)

const TREE = classifier({ ids: [0, 1, 2] }, [0, 1, 2])

const REFUSED: readonly (Case & { why: RegExp })[] = [
  { ...regressor({ trees: 1, depth: 1 }, { aggregate_function: { s: "MAX" } }), why: /takes the MAX of its trees/ },
  { ...regressor({ trees: 1, depth: 1 }, { nodes_featureids: [6, 0, 0] }), why: /reads feature 6 of 6/ },
  {
    ...TREE,
    attributes: { ...TREE.attributes, class_ids: (TREE.attributes!.class_ids as number[]).map((id) => id % 2) },
    why: /no tree speaks of class 2/,
  },
  { ...GROUPED, constants: { ...GROUPED.constants, 5: int32s(4) }, why: /a buffer that is not full/ },
  {
    ...GROUPED,
    inputs: [...GROUPED.inputs, of("int32", [1], 0, 6)],
    constants: { 6: tensor("int32", [], [7]) },
    why: /lengths of the past is computed from the input/,
  },
  {
    ...GROUPED,
    attributes: { ...GROUPED.attributes, local_window_size: 3 },
    why: /looks back only so far/,
  },
  {
    ...fused("MatMulNBits", [[3, 16]], float(3, 6), {
      constants: { 1: bytes("uint8", 6, 1, 8), 2: weights(6), 3: "", 4: int32s(...new Array(16).fill(0)) },
      attributes: { K: 16, N: 6, bits: 4, block_size: 16 },
    }),
    why: /order of their own/,
  },
  {
    ...fused("MultiHeadAttention", [[1, 4, 2, 3, 8]], float(1, 4, 16), { attributes: { num_heads: 2 } }),
    why: /packed into one/,
  },
  {
    ...fused("SkipLayerNormalization", [X, X], [...float(...X), ...float(2, 3, 1)], { constants: { 2: weights(8) } }),
    why: /mean or deviation/,
  },
  {
    op: "ScatterND",
    inputs: [
      [4, 3],
      [2, 3],
    ],
    constants: { 1: tensor("int64", [2, 1], [1, 1]) },
    attributes: { reduction: { s: "add" } },
    outputs: float(4, 3),
    opset: 18,
    why: /places that may be the same/,
  },
  {
    op: "ScatterND",
    inputs: [[3000, 1], of("int64", [3000, 1], 0, 2), [3000, 1]],
    outputs: float(3000, 1),
    why: /3000 updates for 3000 places are too many/,
  },
  {
    op: "TopK",
    inputs: [of("int64", X, 0, 5)],
    constants: { 1: ints(2) },
    outputs: ["int64", "int64"].map((dtype) => ({ dtype: dtype as Dtype, dims: [2, 3, 2] })),
    why: /takes the first of int64/,
  },
]

for (const { why, ...item } of REFUSED)
  test(`error: ${item.op} that cannot be exact is refused, and says why: ${why.source}`, async () => {
    await assert.rejects(
      normalizeModel({ runner }, build(item)),
      (error) => error instanceof EngineError && error.code === "E_MODEL_NOT_EXACT" && why.test(error.message),
    )
  })

/** What a processor may treat in its own way; the program must not. */
const HARD = [
  0,
  -0,
  Number.NaN,
  Infinity,
  -Infinity,
  1e-45,
  -1e-45,
  1.17e-38,
  3.4e38,
  -3.4e38,
  0.5,
  1.5,
  2.5,
  -0.5,
  -2.5,
  1,
  -1,
  88.8,
  -104,
  16777217,
  2 ** 31,
  -(2 ** 31),
  2 ** 63,
  255.5,
  256,
]
const RUGGED = CASES.filter(
  ({ inputs }) => inputs.length > 0 && inputs.every((given) => !("dims" in given) || given.dtype === "float32"),
)

for (const [i, item] of RUGGED.entries())
  test(`behavior: ${item.op} is as the reference says for NaN, infinities, zeros and ties (${i})`, async () => {
    const inputs = feed(item, i + 1).map((given, k) => {
      const count = elementCount(given.dims)
      const values = Array.from(
        { length: count },
        (_, e) => HARD[(e * 7 + k * 3 + Math.floor(e / HARD.length)) % HARD.length]!,
      )
      return { ...given, data: encodeElements("float32", values) }
    })
    // Held against the reference alone: what the model makes of NaN is the processor's choice.
    await assertConforms(runner, build(item), inputs, [])
  })

test("the table names every operator that has a lowering, or another test does", async () => {
  const { LOWERINGS } = await import("../../../engine/program/lower/index.ts")
  const elsewhere = [
    "Constant",
    "ConstantOfShape",
    "Shape",
    "Size",
    "Range",
    "CastLike",
    "Dropout",
    "Upsample",
    "ReduceLogSum",
    "SimplifiedLayerNormalization",
    "RMSNormalization",
  ]
  const named = (domain: string) => CASES.filter((item) => (item.domain ?? "") === domain).map(({ op }) => op)
  const standard = new Set([...named(""), ...elsewhere])
  const all = (domain: string) => Object.keys(LOWERINGS[domain]!)
  assert.deepEqual(
    all("").filter((op) => !standard.has(op)),
    [],
  )
  const others = new Set([...named(MICROSOFT), ...named(CLASSICAL), ...all("")])
  assert.deepEqual(
    [MICROSOFT, CLASSICAL].flatMap(all).filter((op) => !others.has(op)),
    [],
  )
})
