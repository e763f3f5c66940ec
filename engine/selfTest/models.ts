import { type Dtype, elementCount, type Tensor } from "#protocol"
import { type AttributeSpec, type NodeSpec, writeModel } from "../onnx/writeModel.ts"
import { encodeElements } from "../tensor/elements.ts"

/**
 * Small models that between them use each family of kernels whose bits could depend on the machine: matrix products of
 * several shapes (blocks, tails, single rows), convolutions, sums, approximated functions, integer products. Weights
 * and inputs come from integer arithmetic, so every machine builds the same bytes.
 */
export type SelfTestModel = { readonly name: string; readonly bytes: Uint8Array; readonly inputs: readonly Tensor[] }

type Operand = {
  readonly dtype?: Dtype
  readonly dims: readonly number[]
  readonly low?: number
  readonly high?: number
  readonly tensor?: Tensor
}
type Case = {
  readonly name: string
  readonly inputs: Readonly<Record<string, Operand>>
  readonly constants?: Readonly<Record<string, Operand>>
  readonly nodes: readonly NodeSpec[]
  readonly outputs: Readonly<Record<string, { readonly dtype?: Dtype; readonly dims: readonly number[] }>>
}

export function selfTestModels(): SelfTestModel[] {
  return CASES.map((definition, i) => {
    const fill = filler(i + 1)
    const inputs = Object.entries(definition.inputs)
    const constants = Object.entries(definition.constants ?? {}).map(
      ([name, operand]) => [name, fill(operand)] as const,
    )
    const bytes = writeModel({
      name: definition.name,
      nodes: definition.nodes,
      inputs: inputs.map(([name, { dtype = "float32", dims }]) => ({ name, dtype, dims })),
      outputs: Object.entries(definition.outputs).map(([name, { dtype = "float32", dims }]) => ({ name, dtype, dims })),
      initializers: Object.fromEntries(constants),
    })
    return { name: definition.name, bytes, inputs: inputs.map(([, operand]) => fill(operand)) }
  })
}

/** Numbers with full mantissas between low and high, from a linear congruential generator. */
function filler(seed: number): (operand: Operand) => Tensor {
  let state = Math.imul(seed, 2_654_435_761) >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return ({ dtype = "float32", dims, low = -1, high = 1, tensor }) => {
    if (tensor) return tensor
    const whole = dtype !== "float32" && dtype !== "float64"
    const values = Array.from({ length: elementCount(dims) }, () => {
      const value = low + (high - low) * next()
      return whole ? Math.floor(value) : value
    })
    return { dtype, dims, data: encodeElements(dtype, values) }
  }
}

const scalar = (dtype: Dtype, value: number): Operand => ({
  dims: [],
  dtype,
  tensor: { dtype, dims: [], data: encodeElements(dtype, [value]) },
})
const node = (op: string, inputs: string, outputs: string, attributes?: Record<string, AttributeSpec>): NodeSpec => ({
  op,
  inputs: inputs.split(" "),
  outputs: outputs.split(" "),
  attributes,
})

/** One function of one tensor; the range covers where its approximation has seams. */
const unary = (op: string, low: number, high: number, attributes?: Record<string, AttributeSpec>): Case => ({
  name: op.toLowerCase(),
  inputs: { x: { dims: [4, 133], low, high } },
  nodes: [node(op, "x", "y", attributes)],
  outputs: { y: { dims: [4, 133] } },
})

const matmul = (name: string, m: number, k: number, n: number): Case => ({
  name,
  inputs: { x: { dims: [m, k] } },
  constants: { w: { dims: [k, n] } },
  nodes: [node("MatMul", "x w", "y")],
  outputs: { y: { dims: [m, n] } },
})

const conv = (
  name: string,
  channels: number,
  filters: number,
  group: number,
  kernel: number,
  stride: number,
  size: number,
): Case => {
  const pad = Math.floor(kernel / 2)
  const out = Math.floor((size + 2 * pad - kernel) / stride) + 1
  return {
    name,
    inputs: { x: { dims: [1, channels, size, size] } },
    constants: { w: { dims: [filters, channels / group, kernel, kernel] }, b: { dims: [filters] } },
    nodes: [
      node("Conv", "x w b", "y", {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        pads: [pad, pad, pad, pad],
        group,
      }),
    ],
    outputs: { y: { dims: [1, filters, out, out] } },
  }
}

const CASES: readonly Case[] = [
  matmul("matmul-row", 1, 771, 65),
  matmul("matmul-square", 67, 131, 97),
  matmul("matmul-long", 5, 4_099, 9),
  {
    name: "matmul-batched",
    inputs: { x: { dims: [3, 17, 65] }, w: { dims: [3, 65, 31] } },
    nodes: [node("MatMul", "x w", "y")],
    outputs: { y: { dims: [3, 17, 31] } },
  },
  {
    name: "gemm-transposed",
    inputs: { x: { dims: [19, 259] } },
    constants: { w: { dims: [37, 259] }, b: { dims: [37] } },
    nodes: [node("Gemm", "x w b", "y", { transB: 1, alpha: { f: 0.75 }, beta: { f: 1.25 } })],
    outputs: { y: { dims: [19, 37] } },
  },
  conv("conv-3x3", 7, 18, 1, 3, 1, 23),
  conv("conv-5x5-stride", 3, 16, 1, 5, 2, 31),
  conv("conv-1x1", 33, 34, 1, 1, 1, 13),
  conv("conv-depthwise", 16, 16, 16, 3, 1, 19),
  {
    name: "conv-transpose",
    inputs: { x: { dims: [1, 6, 9, 9] } },
    constants: { w: { dims: [6, 5, 3, 3] } },
    nodes: [node("ConvTranspose", "x w", "y", { kernel_shape: [3, 3], strides: [2, 2] })],
    outputs: { y: { dims: [1, 5, 19, 19] } },
  },
  unary("Exp", -90, 20),
  unary("Log", 1e-6, 50),
  unary("Tanh", -9, 9),
  unary("Sigmoid", -20, 20),
  unary("Erf", -4, 4),
  unary("Sqrt", 0, 1_000),
  unary("Sin", -50, 50),
  unary("Softmax", -12, 12, { axis: 1 }),
  unary("LogSoftmax", -12, 12, { axis: 1 }),
  unary("Elu", -8, 4),
  unary("Softplus", -20, 20),
  {
    name: "pow",
    inputs: { x: { dims: [3, 67], low: 0.01, high: 9 } },
    constants: { e: { dims: [67], low: -3, high: 3 } },
    nodes: [node("Pow", "x e", "y")],
    outputs: { y: { dims: [3, 67] } },
  },
  {
    name: "layer-normalization",
    inputs: { x: { dims: [5, 197], low: -3, high: 5 } },
    constants: { scale: { dims: [197] }, bias: { dims: [197] } },
    nodes: [node("LayerNormalization", "x scale bias", "y", { axis: -1 })],
    outputs: { y: { dims: [5, 197] } },
  },
  {
    name: "layer-normalization-pieces",
    inputs: { x: { dims: [5, 197], low: -3, high: 5 } },
    constants: { two: scalar("float32", 2), epsilon: scalar("float32", 1e-5) },
    nodes: [
      node("ReduceMean", "x", "mean", { axes: [-1] }),
      node("Sub", "x mean", "centred"),
      node("Pow", "centred two", "squares"),
      node("ReduceMean", "squares", "variance", { axes: [-1] }),
      node("Add", "variance epsilon", "safe"),
      node("Sqrt", "safe", "deviation"),
      node("Div", "centred deviation", "y"),
    ],
    outputs: { y: { dims: [5, 197] } },
  },
  {
    name: "batch-normalization",
    inputs: { x: { dims: [1, 9, 11, 11] } },
    constants: {
      scale: { dims: [9] },
      bias: { dims: [9] },
      mean: { dims: [9] },
      variance: { dims: [9], low: 0.1, high: 2 },
    },
    nodes: [node("BatchNormalization", "x scale bias mean variance", "y")],
    outputs: { y: { dims: [1, 9, 11, 11] } },
  },
  {
    name: "sums",
    inputs: { x: { dims: [3, 41, 43] } },
    constants: {
      axes: { dims: [1], dtype: "int64", tensor: { dtype: "int64", dims: [1], data: encodeElements("int64", [1]) } },
    },
    nodes: [node("ReduceSum", "x axes", "sum", { keepdims: 0 }), node("GlobalAveragePool", "x", "average")],
    outputs: { sum: { dims: [3, 43] }, average: { dims: [3, 41, 1] } },
  },
  {
    name: "attention",
    inputs: { q: { dims: [2, 13, 24] }, k: { dims: [2, 24, 13] }, v: { dims: [2, 13, 24] } },
    constants: { scale: scalar("float32", 0.204_124_15) },
    nodes: [
      node("MatMul", "q k", "scores"),
      node("Mul", "scores scale", "scaled"),
      node("Softmax", "scaled", "weights", { axis: -1 }),
      node("MatMul", "weights v", "y"),
    ],
    outputs: { y: { dims: [2, 13, 24] } },
  },
  {
    name: "lstm",
    inputs: { x: { dims: [7, 2, 10] } },
    constants: { w: { dims: [1, 48, 10] }, r: { dims: [1, 48, 12] }, b: { dims: [1, 96] } },
    nodes: [node("LSTM", "x w r b", "y", { hidden_size: 12 })],
    outputs: { y: { dims: [7, 1, 2, 12] } },
  },
  {
    name: "resize-linear",
    inputs: { x: { dims: [1, 2, 7, 7] } },
    constants: {
      roi: { dims: [0] },
      scales: { dims: [4], tensor: { dtype: "float32", dims: [4], data: encodeElements("float32", [1, 1, 2, 2]) } },
    },
    nodes: [node("Resize", "x roi scales", "y", { mode: { s: "linear" } })],
    outputs: { y: { dims: [1, 2, 14, 14] } },
  },
  {
    name: "float64",
    inputs: { x: { dtype: "float64", dims: [9, 131] } },
    constants: { w: { dtype: "float64", dims: [131, 33] } },
    nodes: [node("MatMul", "x w", "y")],
    outputs: { y: { dtype: "float64", dims: [9, 33] } },
  },
  // Extremes are among the values: instructions that add pairs of products in 16 bits saturate on them.
  ...(["uint8", "int8"] as const).map(
    (weights): Case => ({
      name: `matmul-integer-uint8-${weights}`,
      inputs: { x: { dtype: "uint8", dims: [9, 263], low: 200, high: 256 } },
      constants: {
        w: {
          dtype: weights,
          dims: [263, 35],
          low: weights === "int8" ? -128 : 0,
          high: weights === "int8" ? 128 : 256,
        },
        xz: scalar("uint8", 117),
      },
      nodes: [node("MatMulInteger", "x w xz", "y")],
      outputs: { y: { dtype: "int32", dims: [9, 35] } },
    }),
  ),
  {
    name: "conv-integer",
    inputs: { x: { dtype: "uint8", dims: [1, 5, 15, 15], low: 0, high: 256 } },
    constants: {
      w: { dtype: "uint8", dims: [8, 5, 3, 3], low: 0, high: 256 },
      xz: scalar("uint8", 128),
      wz: scalar("uint8", 130),
    },
    nodes: [node("ConvInteger", "x w xz wz", "y", { kernel_shape: [3, 3] })],
    outputs: { y: { dtype: "int32", dims: [1, 8, 13, 13] } },
  },
  {
    name: "quantize",
    inputs: { x: { dims: [11, 67], low: -5, high: 7 } },
    constants: { w: { dtype: "uint8", dims: [67, 21], low: 0, high: 256 }, wz: scalar("uint8", 121) },
    nodes: [
      node("DynamicQuantizeLinear", "x", "xq scale zero"),
      node("MatMulInteger", "xq w zero wz", "sums"),
      node("Cast", "sums", "wide", { to: 1 }),
      node("Mul", "wide scale", "y"),
    ],
    outputs: { xq: { dtype: "uint8", dims: [11, 67] }, y: { dims: [11, 21] } },
  },
  {
    name: "qlinear-matmul",
    inputs: { x: { dtype: "uint8", dims: [7, 129], low: 0, high: 256 } },
    constants: {
      w: { dtype: "uint8", dims: [129, 19], low: 0, high: 256 },
      xs: scalar("float32", 0.031),
      xz: scalar("uint8", 127),
      ws: scalar("float32", 0.017),
      wz: scalar("uint8", 125),
      ys: scalar("float32", 0.21),
      yz: scalar("uint8", 128),
    },
    nodes: [node("QLinearMatMul", "x xs xz w ws wz ys yz", "y")],
    outputs: { y: { dtype: "uint8", dims: [7, 19] } },
  },
  {
    name: "denormals",
    inputs: { x: { dims: [257], low: -1e-38, high: 1e-38 } },
    constants: { tenth: scalar("float32", 0.1) },
    nodes: [node("Mul", "x tenth", "y")],
    outputs: { y: { dims: [257] } },
  },
]
