import type { Dtype } from "#protocol"
import type { Value } from "../program/builder.ts"
import type { Comparison, Ops } from "../program/ops.ts"
import type { Attributes } from "../program/values.ts"

/** A tensor to fill: with numbers between `low` and `high`, the first ones being `values`. */
export type Operand = {
  /** float32 unless stated. */
  readonly dtype?: Dtype
  readonly dims: readonly number[]
  /** -1 unless stated. */
  readonly low?: number
  /** 1 unless stated; integers stay below it. */
  readonly high?: number
  /** float32 only: zeros, infinities, NaN and other edges among them. */
  readonly special?: boolean
  readonly values?: readonly number[]
}

/** One program: its inputs and constants, and how its outputs, by name, come of them. */
export type Case<Input extends string = string, Constant extends string = string> = {
  readonly name: string
  readonly inputs: Readonly<Record<Input, Operand>>
  readonly constants?: Readonly<Record<Constant, Operand>>
  build(o: Ops, given: Readonly<Record<Input | Constant, Value>>): Readonly<Record<string, Value>>
}

/** Whoever builds a case hands it a value for each name. */
function define<Input extends string, Constant extends string = never>(definition: Case<Input, Constant>): Case {
  return definition
}

// Odd lengths leave tails behind vectors of 4, 8 and 16; seven rows behind kernels that take several at once.
const VECTOR = [7, 133]

/** One function of one tensor; the range covers where its approximation has seams. */
const unary = (name: string, low: number, high: number, build: (o: Ops, x: Value) => Value): Case =>
  define({
    name,
    inputs: { x: { dims: VECTOR, low, high, special: true } },
    build: (o, { x }) => ({ y: build(o, x) }),
  })

const BYTES = { uint8: [0, 256], int8: [-128, 128] } as const
const WIDE = { int32: [-(2 ** 31), 2 ** 31], int64: [-(2 ** 62), 2 ** 62] } as const

const pair = (dtype: Dtype, low: number, high: number) => ({
  a: { dtype, dims: VECTOR, low, high, special: dtype === "float32" },
  b: { dtype, dims: VECTOR, low, high, special: dtype === "float32" },
})

const COMPARISONS: readonly Comparison[] = ["Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"]
const comparison = (dtype: Dtype, low: number, high: number): Case =>
  define({
    name: `compare-${dtype}`,
    inputs: pair(dtype, low, high),
    build: (o, { a, b }) => Object.fromEntries(COMPARISONS.map((op) => [op, o.compare(op, a, b)])),
  })

const integers = (dtype: "int32" | "int64"): Case =>
  define({
    name: `arithmetic-${dtype}`,
    inputs: pair(dtype, ...WIDE[dtype]),
    constants: { divisors: { dtype, dims: [133], low: 2, high: 1_000, values: [-7, 1, -2, 3, 1_000_003] } },
    build: (o, { a, b, divisors }) => ({
      sum: o.add(a, b),
      difference: o.sub(a, b),
      product: o.mul(a, b),
      quotient: o.div(a, divisors),
      negative: o.neg(a),
      size: o.abs(a),
    }),
  })

const NUMBERS: readonly Dtype[] = ["float32", "int32", "int64", "uint8", "int8", "bool"]
/** To every type; floats are brought inside it first, as in every program. */
const casts = (dtype: Dtype, low: number, high: number): Case =>
  define({
    name: `cast-${dtype}`,
    inputs: { x: { dtype, dims: VECTOR, low, high, special: dtype === "float32" } },
    build: (o, { x }) => Object.fromEntries(NUMBERS.filter((to) => to !== dtype).map((to) => [to, o.cast(x, to)])),
  })

/** Elements in other places, of elements of every width. */
const moves = (dtype: Dtype, low: number, high: number): Case =>
  define({
    name: `move-${dtype}`,
    inputs: {
      x: { dtype, dims: [3, 5, 37], low, high },
      rows: { dtype: "int64", dims: [2, 3], low: -5, high: 5 },
      columns: { dtype: "int32", dims: [41], low: -37, high: 37 },
    },
    build: (o, { x, rows, columns }) => ({
      transposed: o.transpose(x, [2, 0, 1]),
      reshaped: o.reshape(x, [5, 111]),
      backwards: o.slice(x, [
        { axis: 1, start: 4, end: 1, step: -1 },
        { axis: 2, start: 1, end: 36, step: 3 },
      ]),
      expanded: o.expand(o.range(x, 1, 2, 3), [2, 3, 4, 37]),
      padded: o.pad(x, [0, 1, 3], [1, 0, 2], o.number(dtype, 1)),
      joined: o.concat([x, o.range(x, 1, 1, 3), x], 1),
      rowsOf: o.gather(x, rows, 1),
      columnsOf: o.gather(x, columns, 2),
      itself: o.builder.copy(x),
    }),
  })

const extremes = (dtype: Dtype, low: number, high: number): Case =>
  define({
    name: `extremes-${dtype}`,
    // Narrow ranges repeat their greatest and least, of which the first counts.
    inputs: { x: { dtype, dims: [9, 71], low, high, special: dtype === "float32" } },
    build: (o, { x }) => ({
      greatest: o.extremeLast("ReduceMax", x, 1),
      least: o.extremeLast("ReduceMin", x, 0),
      greatestAt: o.chooseLast("ArgMax", x, 0),
      leastAt: o.chooseLast("ArgMin", x, 1),
    }),
  })

const window = (kernel: number, stride: number, pad: number, dilation: number): Attributes => ({
  kernel_shape: [kernel, kernel],
  strides: [stride, stride],
  pads: [pad, pad, pad, pad],
  dilations: [dilation, dilation],
})

const pool = (dtype: Dtype, low: number, high: number): Case =>
  define({
    name: `pool-max-${dtype}`,
    inputs: { x: { dtype, dims: [2, 3, 11, 13], low, high, special: dtype === "float32" } },
    build: (o, { x }) => ({
      plain: o.emit("MaxPool", [o.orderly(x)], window(2, 2, 0, 1)),
      padded: o.emit("MaxPool", [o.orderly(x)], window(3, 1, 1, 2)),
    }),
  })

/** By a constant: the packed kernels, whose blocks have 256 terms. */
const matmul = (name: string, m: number, k: number, n: number): Case =>
  define({
    name,
    inputs: { x: { dims: [m, k] } },
    constants: { w: { dims: [k, n] } },
    build: (o, { x, w }) => ({ y: o.matMul(x, w) }),
  })

/** By a computed factor: blocks by its shape. */
const product = (name: string, batch: readonly number[], m: number, k: number, n: number): Case =>
  define({
    name,
    inputs: { a: { dims: [...batch, m, k] }, b: { dims: [...batch, n, k] } },
    build: (o, { a, b }) => {
      const last = batch.length
      return { y: o.matMul(a, o.transpose(b, [...batch.keys(), last + 1, last])) }
    },
  })

type Convolution = {
  readonly channels: number
  readonly filters: number
  readonly group?: number
  readonly kernel: number
  readonly stride?: number
  readonly dilation?: number
  readonly size: number
}
const conv = (
  name: string,
  { channels, filters, group = 1, kernel, stride = 1, dilation = 1, size }: Convolution,
): Case =>
  define({
    name,
    inputs: { x: { dims: [1, channels, size, size] } },
    constants: { w: { dims: [filters, channels / group, kernel, kernel] } },
    build: (o, { x, w }) => ({
      y: o.emit("Conv", [x, w], { ...window(kernel, stride, Math.floor(kernel / 2), dilation), group }),
    }),
  })

const EVERY_TYPE = [
  ["float32", -9, 9],
  ["int32", ...WIDE.int32],
  ["int64", ...WIDE.int64],
  ["uint8", ...BYTES.uint8],
  ["int8", ...BYTES.int8],
  ["bool", 0, 2],
] as const

export const CASES: readonly Case[] = [
  define({
    name: "arithmetic",
    inputs: { ...pair("float32", -30, 30), row: { dims: [133], low: 0.1, high: 3 }, one: { dims: [1] } },
    build: (o, { a, b, row, one }) => ({
      sum: o.add(a, b),
      difference: o.sub(a, b),
      product: o.mul(a, b),
      quotient: o.div(a, b),
      sumOfRow: o.add(a, row),
      quotientOfRow: o.div(row, a),
      scaled: o.mul(one, a),
      negative: o.neg(a),
      size: o.abs(a),
    }),
  }),
  define({
    name: "subnormals",
    inputs: { a: { dims: VECTOR, low: -1e-38, high: 1e-38 }, b: { dims: VECTOR, low: -1e-38, high: 1e-38 } },
    build: (o, { a, b }) => ({
      small: o.mul(a, o.scalar(0.1)),
      sum: o.add(a, b),
      quotient: o.div(a, b),
      whole: o.sqrt(o.abs(a)),
    }),
  }),
  integers("int32"),
  integers("int64"),
  define({
    name: "min-max",
    inputs: pair("int32", ...WIDE.int32),
    build: (o, { a, b }) => ({ least: o.emit("Min", [a, b]), greatest: o.emit("Max", [a, b]) }),
  }),
  unary("exp", -110, 92, (o, x) => o.exp(x)),
  unary("tanh", -10, 10, (o, x) => o.tanh(x)),
  unary("sigmoid", -20, 20, (o, x) => o.sigmoid(x)),
  unary("erf", -4.5, 4.5, (o, x) => o.erf(x)),
  unary("sqrt", -10, 1_000, (o, x) => o.sqrt(x)),
  unary("floor", -300, 300, (o, x) => o.floor(x)),
  unary("ceil", -300, 300, (o, x) => o.ceil(x)),
  unary("round", -300, 300, (o, x) => o.round(x)),
  unary("relu", -3, 3, (o, x) => o.relu(x)),
  define({
    name: "round-halves",
    inputs: { x: { dtype: "int32", dims: VECTOR, low: -1_000, high: 1_000 } },
    build: (o, { x }) => ({ y: o.round(o.mul(o.cast(x, "float32"), o.scalar(0.5))) }),
  }),
  comparison("float32", -2, 2),
  comparison("int32", -3, 3),
  comparison("int64", -3, 3),
  comparison("uint8", ...BYTES.uint8),
  define({
    name: "logic",
    inputs: pair("bool", 0, 2),
    build: (o, { a, b }) => ({
      and: o.logic("And", a, b),
      or: o.logic("Or", a, b),
      xor: o.logic("Xor", a, b),
      not: o.not(a),
      same: o.compare("Equal", a, b),
    }),
  }),
  ...EVERY_TYPE.slice(0, 4).map(
    ([dtype, low, high]): Case =>
      define({
        name: `where-${dtype}`,
        inputs: { c: { dtype: "bool", dims: VECTOR, low: 0, high: 2 }, ...pair(dtype, low, high) },
        build: (o, { c, a, b }) => ({ y: o.where(c, a, b) }),
      }),
  ),
  ...EVERY_TYPE.map(([dtype, low, high]) =>
    casts(dtype, dtype === "float32" ? -300 : low, dtype === "float32" ? 300 : high),
  ),
  ...(["uint8", "int8"] as const).map(
    (dtype): Case =>
      define({
        name: `quantize-${dtype}`,
        inputs: { x: { dims: VECTOR, low: -5, high: 7, special: true } },
        build: (o, { x }) => ({
          y: o.emit("QuantizeLinear", [
            o.orderly(x, { zeros: false }),
            o.scalar(Math.fround(0.0173)),
            o.number(dtype, 17),
          ]),
          halves: o.emit("QuantizeLinear", [
            o.mul(o.round(o.orderly(x, { zeros: false })), o.scalar(0.5)),
            o.scalar(1),
            o.number(dtype, 0),
          ]),
        }),
      }),
  ),
  ...EVERY_TYPE.map(([dtype, low, high]) => moves(dtype, low, high)),
  extremes("float32", -1, 1),
  extremes("int32", -4, 4),
  extremes("uint8", 0, 5),
  pool("float32", -1, 1),
  pool("uint8", ...BYTES.uint8),
  pool("int8", ...BYTES.int8),
  matmul("matmul-row", 1, 771, 65),
  matmul("matmul-square", 67, 131, 97),
  matmul("matmul-long", 5, 4_099, 9),
  matmul("matmul-column", 13, 517, 1),
  product("product-square", [], 19, 259, 37),
  product("product-wide", [], 3, 45, 259),
  product("product-long", [], 5, 1_031, 7),
  product("product-batched", [3], 17, 65, 31),
  define({
    name: "matmul-special",
    inputs: { x: { dims: [5, 131], low: -1e20, high: 1e20, special: true } },
    constants: { w: { dims: [131, 17], low: -1e20, high: 1e20 } },
    build: (o, { x, w }) => ({ y: o.matMul(x, w) }),
  }),
  conv("conv-3x3", { channels: 7, filters: 18, kernel: 3, size: 23 }),
  conv("conv-5x5-stride", { channels: 3, filters: 16, kernel: 5, stride: 2, size: 31 }),
  conv("conv-1x1", { channels: 33, filters: 34, kernel: 1, size: 13 }),
  conv("conv-grouped", { channels: 16, filters: 32, group: 16, kernel: 3, size: 19 }),
  conv("conv-dilated", { channels: 5, filters: 6, kernel: 3, dilation: 2, size: 17 }),
  // Extremes are among the values: instructions that add pairs of products in 16 bits saturate on them.
  ...(["high", "low"] as const).map(
    (weights): Case =>
      define({
        name: `matmul-integer-${weights}`,
        inputs: { x: { dtype: "uint8", dims: [9, 263], low: 200, high: 256 } },
        constants: {
          w: {
            dtype: "uint8",
            dims: [263, 35],
            low: weights === "high" ? 200 : 0,
            high: weights === "high" ? 256 : 60,
          },
        },
        build: (o, { x, w }) => ({
          y: o.emit("MatMulInteger", [x, w, o.number("uint8", 117), o.number("uint8", 128)]),
        }),
      }),
  ),
  define({
    name: "product-integer",
    inputs: {
      a: { dtype: "uint8", dims: [2, 5, 67], low: 0, high: 256 },
      b: { dtype: "uint8", dims: [2, 7, 67], low: 0, high: 256 },
    },
    build: (o, { a, b }) => ({
      y: o.emit("MatMulInteger", [a, o.transpose(b, [0, 2, 1]), o.number("uint8", 3), o.number("uint8", 250)]),
    }),
  }),
  define({
    name: "conv-integer",
    inputs: { x: { dtype: "uint8", dims: [1, 6, 15, 15], low: 0, high: 256 } },
    constants: {
      w: { dtype: "uint8", dims: [8, 6, 3, 3], low: 0, high: 256 },
      g: { dtype: "uint8", dims: [4, 3, 3, 3], low: 0, high: 256 },
    },
    build: (o, { x, w, g }) => {
      const zeros = [o.number("uint8", 128), o.number("uint8", 130)]
      return {
        plain: o.emit("ConvInteger", [x, w, ...zeros], { ...window(3, 1, 1, 1), group: 1 }),
        grouped: o.emit("ConvInteger", [x, g, ...zeros], { ...window(3, 2, 2, 2), group: 2 }),
      }
    },
  }),
  define({
    name: "attention",
    inputs: { q: { dims: [2, 13, 24] }, k: { dims: [2, 13, 24] }, v: { dims: [2, 13, 24] } },
    build: (o, { q, k, v }) => {
      const scores = o.orderly(o.mul(o.matMul(q, o.transpose(k, [0, 2, 1])), o.scalar(0.204_124_15)))
      const weights = o.exp(o.sub(scores, o.extremeLast("ReduceMax", scores, 1)))
      return { y: o.div(o.matMul(weights, v), o.sumLast(weights)) }
    },
  }),
  define({
    name: "layer-normalization",
    inputs: { x: { dims: [5, 197], low: -3, high: 5 } },
    constants: { scale: { dims: [197] }, bias: { dims: [197] } },
    build: (o, { x, scale, bias }) => {
      const centred = o.sub(x, o.meanLast(x))
      const deviation = o.sqrt(o.add(o.meanLast(o.mul(centred, centred)), o.scalar(1e-5)))
      return { y: o.add(o.mul(o.div(centred, deviation), scale), bias) }
    },
  }),
]
