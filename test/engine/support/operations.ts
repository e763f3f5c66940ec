import { InferenceSession } from "onnxruntime-node"
import { type AttributeSpec, canonicalNaN, exactProfile, sessionOptions, writeModel } from "#engine"
import { swapLastTwo } from "#engine/program/compileProgram.ts"
import { floats, int64s, numbersOf, tensorOf } from "#engine/program/elements.ts"
import { factsOfConstant } from "#engine/program/facts.ts"
import { primitiveOf } from "#engine/program/primitive.ts"
import type { ProgramValue } from "#engine/program/values.ts"
import { fromOrt, toOrt } from "#engine/run/ortTensor.ts"
import { type Dtype, elementCount, type Tensor } from "#protocol"
import type { Judged } from "./judge.ts"

/** Random numbers that a seed repeats. */
export type Dice = ReturnType<typeof createDice>

export function createDice(seed: number) {
  let state = seed >>> 0
  const word = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
  const below = (n: number): number => Math.floor((word() / 2 ** 32) * n)
  const between = (low: number, high: number): number => low + below(high - low + 1)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
  return { word, below, between, pick }
}

/** One node, its inputs in order, and which of them are constants of the program. */
type Node = {
  readonly op: string
  readonly inputs: readonly Tensor[]
  readonly constants?: readonly number[]
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
  /** The second factor comes out of a Transpose. */
  readonly transposed?: boolean
}

/** What onnxruntime gave, beside what the referee has to judge it by. */
export type Ran = { readonly op: string; readonly judged: Judged; readonly result: Tensor }

export async function runNode(node: Node): Promise<Ran> {
  const { op, inputs, constants = [], attributes = {}, transposed } = node
  const values: ProgramValue[] = inputs.map((tensor, i) => ({
    dtype: tensor.dtype,
    dims: tensor.dims,
    // What these values are is what a program would have to show of them.
    facts: factsOfConstant(tensor),
    ...(constants.includes(i) ? { constant: tensor } : {}),
  }))
  const tensors = new Map(values.map((value, i) => [value, inputs[i]!]))
  const nodes = []
  const names = inputs.map((_, i) => `x${i}`)
  const read = [...values]
  if (transposed) {
    const before = values[1]!
    const rank = before.dims.length
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2]
    const view = primitiveOf({ op: "Transpose", attributes: { perm }, inputs: [before] })
    nodes.push({ op: "Transpose", inputs: ["x1"], outputs: ["t"], attributes: { perm } })
    names[1] = "t"
    read[1] = {
      ...before,
      dims: view.dims,
      made: { code: view.code, attributes: view.attributes, inputs: [before] },
    }
  }
  const primitive = primitiveOf({ op, attributes, inputs: read })
  nodes.push({ op, inputs: names, outputs: ["y"], attributes })
  const given = inputs.map((_, i) => i).filter((i) => !constants.includes(i))
  const model = writeModel({
    name: op,
    nodes,
    inputs: given.map((i) => ({ name: `x${i}`, dtype: inputs[i]!.dtype, dims: inputs[i]!.dims })),
    outputs: [{ name: "y", dtype: primitive.dtype, dims: primitive.dims }],
    initializers: Object.fromEntries(constants.map((i) => [`x${i}`, inputs[i]!])),
  })
  const session = await InferenceSession.create(model, sessionOptions(exactProfile()))
  try {
    const feeds = Object.fromEntries(given.map((i) => [`x${i}`, toOrt(inputs[i]!, `x${i}`)]))
    const { y } = await session.run(feeds)
    const operands = primitive.operands.map(({ value, swapped }) => {
      const tensor = tensors.get(value)!
      return swapped ? swapLastTwo(tensor) : tensor
    })
    return { op, judged: { primitive, operands }, result: canonicalNaN(fromOrt(y!, "y")) }
  } finally {
    await session.release()
  }
}

/** An element's bits as the referee gives them. */
export function bitsOf({ data }: Tensor, width: number, element: number): bigint {
  return BigInt(
    `0x${Buffer.from(data.subarray(element * width, (element + 1) * width))
      .reverse()
      .toString("hex")}`,
  )
}

// --- values ---

const EDGES = [
  0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x807fffff, 0x80800000, 0x3f800000,
  0xbf800000, 0x3f800001, 0x3f7fffff, 0x3f000000, 0x3fc00000, 0x40200000, 0xbf000000, 0xc0200000, 0x4b000000,
  0x4b7fffff, 0x4b800000, 0x4affffff, 0x7f7fffff, 0xff7fffff, 0x7f000000, 0x00400000, 0x4f000000, 0x5f000000,
]
const NOT_FINITE = [0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0xff812345]

type Manner = "any" | "edges" | "finite" | "near" | "halves" | "wide"
const MANNERS: readonly Manner[] = ["any", "edges", "finite", "near", "halves", "wide"]

function floatBits(dice: Dice, manner: Manner): number {
  const sign = dice.below(2) * 0x80000000
  const fraction = dice.word() & 0x7fffff
  if (manner === "any") return dice.word()
  if (manner === "edges") return dice.below(8) === 0 ? dice.pick(NOT_FINITE) : dice.pick(EDGES)
  if (manner === "finite") return (sign + dice.below(255) * 0x800000 + fraction) >>> 0
  if (manner === "near") return (sign + dice.between(118, 130) * 0x800000 + fraction) >>> 0
  // Few significant bits: sums, quotients and products meet ties and cancel.
  if (manner === "halves") return (sign + dice.between(124, 150) * 0x800000 + (fraction & 0x700000)) >>> 0
  return (sign + dice.between(60, 190) * 0x800000 + (dice.below(3) === 0 ? fraction & 0x7ff000 : fraction)) >>> 0
}

type Wish = {
  readonly manner?: Manner
  readonly nan?: boolean
  readonly negativeZero?: boolean
  /** Nothing of another kind among them. */
  readonly plain?: boolean
}

export function floatsOf(dice: Dice, dims: readonly number[], wish: Wish = {}): Tensor {
  const { manner = dice.pick(MANNERS), nan = true, negativeZero = true, plain = false } = wish
  const bits = new Uint32Array(elementCount(dims))
  for (let i = 0; i < bits.length; i++) {
    // Now and then something of another kind among them.
    let found = floatBits(dice, !plain && dice.below(24) === 0 ? "edges" : manner)
    if (!nan && (found & 0x7fffffff) > 0x7f800000) found &= 0xff7fffff
    if (!negativeZero && found === 0x80000000) found = 0
    bits[i] = found
  }
  return { dtype: "float32", dims: [...dims], data: new Uint8Array(bits.buffer) }
}

export function integersOf(dice: Dice, dtype: Dtype, dims: readonly number[]): Tensor {
  const count = elementCount(dims)
  const small = dice.below(2) === 0
  const edge = dice.below(2) === 0
  if (dtype === "int64") {
    const values = BigInt64Array.from({ length: count }, () => {
      if (small) return BigInt(dice.between(-3, 3))
      if (edge && dice.below(3) === 0) return dice.pick([-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, 2n ** 24n + 1n])
      return BigInt.asIntN(64, (BigInt(dice.word()) << 32n) | BigInt(dice.word())) >> BigInt(dice.below(64))
    })
    return tensorOf(dtype, dims, values)
  }
  if (dtype === "int32") {
    const values = Int32Array.from({ length: count }, () => {
      if (small) return dice.between(-3, 3)
      if (edge && dice.below(3) === 0) return dice.pick([-(2 ** 31), 2 ** 31 - 1, 2 ** 24 + 1, 2 ** 25 + 2])
      return (dice.word() | 0) >> dice.below(32)
    })
    return tensorOf(dtype, dims, values)
  }
  const data = Uint8Array.from({ length: count }, () => (edge ? dice.pick([0, 1, 127, 128, 254, 255]) : dice.word()))
  return { dtype, dims: [...dims], data: dtype === "bool" ? data.map((byte) => byte & 1) : data }
}

function someOf(dice: Dice, dtype: Dtype, dims: readonly number[]): Tensor {
  return dtype === "float32" ? floatsOf(dice, dims) : integersOf(dice, dtype, dims)
}

function shape(dice: Dice, rank: number, most = 5): number[] {
  return Array.from({ length: rank }, () => dice.between(1, most))
}

/** A shape that repeats along some dims, or has fewer. */
function narrowed(dice: Dice, dims: readonly number[]): number[] {
  return dims.slice(dice.below(3) === 0 ? dice.below(dims.length + 1) : 0).map((n) => (dice.below(3) === 0 ? 1 : n))
}

// --- operations ---

const FLOAT_UNARY = ["Neg", "Abs", "Sqrt", "Floor", "Ceil", "Round", "Exp", "Tanh", "Sigmoid", "Erf"]
const ANY: readonly Dtype[] = ["float32", "int32", "int64", "uint8", "int8", "bool"]
const ARITHMETIC: readonly Dtype[] = ["float32", "int32", "int64"]
const CASTS: Partial<Record<Dtype, { to: number; low: number; high: number }>> = {
  float32: { to: 1, low: 0, high: 0 },
  uint8: { to: 2, low: 0, high: 255 },
  int8: { to: 3, low: -128, high: 127 },
  int32: { to: 6, low: -(2 ** 31), high: 2147483520 },
  int64: { to: 7, low: -(2 ** 63), high: 2 ** 63 - 2 ** 39 },
  bool: { to: 9, low: 0, high: 0 },
}

type Make = (dice: Dice) => Node

const binary =
  (ops: readonly string[], types: readonly Dtype[]): Make =>
  (dice) => {
    const dims = shape(dice, dice.between(1, 4))
    const dtype = dice.pick(types)
    const other = someOf(dice, dtype, narrowed(dice, dims))
    // Equal values are worth comparing, and their difference cancels.
    const a = someOf(dice, dtype, dims)
    if (dice.below(3) === 0) other.data.set(a.data.subarray(0, other.data.length))
    return { op: dice.pick(ops), inputs: dice.below(2) === 0 ? [a, other] : [other, a] }
  }

const unary =
  (ops: readonly string[], types: readonly Dtype[]): Make =>
  (dice) => ({ op: dice.pick(ops), inputs: [someOf(dice, dice.pick(types), shape(dice, dice.between(1, 3), 6))] })

const integerDivision: Make = (dice) => {
  const dims = shape(dice, 3)
  const dtype = dice.pick<Dtype>(["int32", "int64"])
  const divisors = Array.from({ length: dims[2]! }, () => dice.pick([-7, -2, 1, 2, 3, 16, 1000003]))
  const b = dtype === "int64" ? int64s(divisors) : tensorOf("int32", [dims[2]!], Int32Array.from(divisors))
  return { op: "Div", inputs: [integersOf(dice, dtype, dims), b], constants: [1] }
}

const cast: Make = (dice) => {
  const from = dice.pick(ANY)
  const to = dice.pick(ANY)
  const { to: code, low, high } = CASTS[to]!
  const x = someOf(dice, from, shape(dice, 2, 7))
  if (from === "float32" && low < high) {
    const values = new Float32Array(x.data.buffer)
    values.forEach((value, i) => {
      const scaled = Math.abs(value) < 1e10 ? value : value / 2 ** 60
      values[i] = Number.isNaN(scaled) ? 1.5 : Math.min(Math.max(scaled, low), high)
    })
  }
  return { op: "Cast", inputs: [x], attributes: { to: code } }
}

const where: Make = (dice) => {
  const dims = shape(dice, 3)
  const dtype = dice.pick<Dtype>(["float32", "int32", "int64", "uint8"])
  const part = (): Tensor => {
    const of = narrowed(dice, dims)
    return dtype === "float32" ? floatsOf(dice, of, { negativeZero: false }) : integersOf(dice, dtype, of)
  }
  return { op: "Where", inputs: [integersOf(dice, "bool", dims), part(), part()] }
}

const transpose: Make = (dice) => {
  const dims = shape(dice, dice.between(2, 4))
  const perm = dims.map((_, i) => i)
  for (let i = perm.length - 1; i > 0; i--) {
    const j = dice.below(i + 1)
    ;[perm[i], perm[j]] = [perm[j]!, perm[i]!]
  }
  return { op: "Transpose", inputs: [someOf(dice, dice.pick(ANY), dims)], attributes: { perm } }
}

const reshape: Make = (dice) => {
  const dims = shape(dice, 3)
  const [a, b, c] = dims as [number, number, number]
  return { op: "Reshape", inputs: [someOf(dice, dice.pick(ANY), dims), int64s([c * a, b])], constants: [1] }
}

const slice: Make = (dice) => {
  const dims = shape(dice, 3, 7)
  const steps = dims.map(() => dice.pick([1, 1, 2, 3, -1, -2]))
  const starts = dims.map((n, i) => (steps[i]! > 0 ? dice.below(n) : dice.between(0, n - 1)))
  const ends = dims.map((n, i) => (steps[i]! > 0 ? dice.between(starts[i]! + 1, n + 2) : -n - 1))
  const inputs = [someOf(dice, dice.pick<Dtype>(["float32", "int32", "int64", "uint8"]), dims)]
  const numbers = [starts, ends, [0, 1, 2], steps].map((list) => int64s(list))
  return { op: "Slice", inputs: [...inputs, ...numbers], constants: [1, 2, 3, 4] }
}

const expand: Make = (dice) => {
  const dims = shape(dice, 3)
  return { op: "Expand", inputs: [someOf(dice, dice.pick(ANY), narrowed(dice, dims)), int64s(dims)], constants: [1] }
}

const pad: Make = (dice) => {
  const dims = shape(dice, 3, 4)
  const dtype = dice.pick<Dtype>(["float32", "int32", "int64", "uint8"])
  const amounts = int64s(Array.from({ length: 6 }, () => dice.below(3)))
  const inputs = [someOf(dice, dtype, dims), amounts, someOf(dice, dtype, [])]
  return { op: "Pad", inputs, constants: [1, 2], attributes: { mode: { s: "constant" } } }
}

const concat: Make = (dice) => {
  const dims = shape(dice, 3, 4)
  const axis = dice.below(3)
  const dtype = dice.pick(ANY)
  const inputs = Array.from({ length: dice.between(2, 5) }, () =>
    someOf(
      dice,
      dtype,
      dims.map((n, i) => (i === axis ? dice.between(1, 4) : n)),
    ),
  )
  return { op: "Concat", inputs, attributes: { axis } }
}

const gather: Make = (dice) => {
  const dims = shape(dice, dice.between(1, 3))
  const axis = dice.below(dims.length)
  const size = dims[axis]!
  const at = shape(dice, dice.below(3), 3)
  const values = Array.from({ length: elementCount(at) }, () => dice.between(-size, size - 1))
  const indices = dice.below(2) === 0 ? int64s(values, at) : tensorOf("int32", at, Int32Array.from(values))
  return { op: "Gather", inputs: [someOf(dice, dice.pick(ANY), dims), indices], attributes: { axis } }
}

const reduce: Make = (dice) => {
  const dims = [...shape(dice, dice.below(3)), dice.between(1, 40)]
  const dtype = dice.pick<Dtype>(["float32", "int32", "uint8"])
  const x =
    dtype === "float32" ? floatsOf(dice, dims, { nan: false, negativeZero: false }) : integersOf(dice, dtype, dims)
  const attributes = { axes: [dims.length - 1], keepdims: dice.below(2) }
  return { op: dice.pick(["ReduceMax", "ReduceMin"]), inputs: [x], attributes }
}

const choose: Make = (dice) => {
  const dims = [...shape(dice, dice.below(3)), dice.between(1, 40)]
  const dtype = dice.pick<Dtype>(["float32", "int32", "uint8"])
  const x = dtype === "float32" ? floatsOf(dice, dims, { nan: false }) : integersOf(dice, dtype, dims)
  const attributes = { axis: dims.length - 1, keepdims: dice.below(2) }
  return { op: dice.pick(["ArgMax", "ArgMin"]), inputs: [x], attributes }
}

/** Kernel, stride, pads and dilation over an image that they fit. */
function windowOf(dice: Dice) {
  const kernel = [dice.between(1, 3), dice.between(1, 3)] as const
  const dilations = [dice.between(1, 2), dice.between(1, 2)] as const
  const reach = [dilations[0] * (kernel[0] - 1), dilations[1] * (kernel[1] - 1)] as const
  const pads = [0, 1, 2, 3].map((i) => dice.between(0, Math.min(2, kernel[i % 2]! - 1)))
  const size = [reach[0] + dice.between(2, 5), reach[1] + dice.between(2, 5)]
  const strides = [dice.between(1, 2), dice.between(1, 2)]
  return { size, attributes: { kernel_shape: [...kernel], strides, pads, dilations: [...dilations] }, kernel }
}

const pool: Make = (dice) => {
  const { size, attributes } = windowOf(dice)
  const dims = [dice.between(1, 2), dice.between(1, 3), ...size]
  const dtype = dice.pick<Dtype>(["float32", "uint8", "int8"])
  const x =
    dtype === "float32" ? floatsOf(dice, dims, { nan: false, negativeZero: false }) : integersOf(dice, dtype, dims)
  return { op: "MaxPool", inputs: [x], attributes }
}

/** NaN drowns a sum: most sums are of numbers that leave something to see. */
function factor(dice: Dice, dims: readonly number[]): Tensor {
  return dice.below(6) === 0
    ? floatsOf(dice, dims)
    : floatsOf(dice, dims, { manner: dice.pick(["near", "halves", "wide"]) })
}

const product: Make = (dice) => {
  const k = dice.pick([dice.between(1, 20), dice.between(120, 140), dice.between(250, 300), dice.between(500, 600)])
  const [m, n] = [dice.between(2, 4), dice.between(2, 5)]
  if (dice.below(2) === 0) return { op: "MatMul", inputs: [factor(dice, [m, k]), factor(dice, [k, n])], constants: [1] }
  const batch = dice.below(2) === 0 ? [dice.between(1, 2)] : []
  return { op: "MatMul", inputs: [factor(dice, [...batch, m, k]), factor(dice, [...batch, n, k])], transposed: true }
}

const integerProduct: Make = (dice) => {
  const k = dice.pick([dice.between(1, 40), dice.between(60, 70), dice.between(900, 1_100)])
  const [m, n] = [dice.between(1, 4), dice.between(1, 5)]
  const zeros = [integersOf(dice, "uint8", []), integersOf(dice, "uint8", [])]
  const inputs = [integersOf(dice, "uint8", [m, k]), integersOf(dice, "uint8", [k, n]), ...zeros]
  return { op: "MatMulInteger", inputs, constants: [1, 2, 3] }
}

const convolution: Make = (dice) => {
  const { size, attributes, kernel } = windowOf(dice)
  const group = dice.pick([1, 1, 2])
  const channels = dice.between(1, 4)
  const filters = group * dice.between(2, 3)
  const x = factor(dice, [dice.between(1, 2), group * channels, ...size])
  const w = factor(dice, [filters, channels, ...kernel])
  return { op: "Conv", inputs: [x, w], constants: [1], attributes: { ...attributes, strides: [1, 1], group } }
}

const integerConvolution: Make = (dice) => {
  const { size, attributes, kernel } = windowOf(dice)
  const group = dice.pick([1, 1, 2])
  const channels = dice.between(1, 4)
  const x = integersOf(dice, "uint8", [dice.between(1, 2), group * channels, ...size])
  const w = integersOf(dice, "uint8", [group * dice.between(1, 3), channels, ...kernel])
  const inputs = [x, w, integersOf(dice, "uint8", []), integersOf(dice, "uint8", [])]
  return { op: "ConvInteger", inputs, constants: [1, 2, 3], attributes: { ...attributes, group } }
}

const relu: Make = (dice) => ({
  op: "ThresholdedRelu",
  inputs: [floatsOf(dice, shape(dice, 2, 6))],
  attributes: { alpha: { f: 0 } },
})

const quantize: Make = (dice) => {
  const dtype = dice.pick<Dtype>(["uint8", "int8"])
  const scale = floats([], [dice.pick([0.5, 1, 0.25, Math.fround(0.0173), 3, 2 ** -140, 2 ** 100])])
  const x = floatsOf(dice, shape(dice, 2, 7), { nan: false })
  // Where steps come out as halves and saturate.
  const values = new Float32Array(x.data.buffer)
  const [step] = numbersOf(scale)
  if (dice.below(2) === 0) for (let i = 0; i < values.length; i++) values[i] = (dice.between(-600, 600) / 2) * step!
  return { op: "QuantizeLinear", inputs: [x, scale, integersOf(dice, dtype, [])], constants: [1, 2] }
}

export const MAKERS: readonly Make[] = [
  binary(["Add", "Sub", "Mul"], ARITHMETIC),
  binary(["Div"], ["float32"]),
  binary(["Add", "Sub", "Mul", "Div"], ["float32"]),
  binary(["Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"], ["float32", "int32", "int64", "uint8"]),
  binary(["And", "Or", "Xor", "Equal"], ["bool"]),
  binary(["Min", "Max"], ["int32"]),
  unary(FLOAT_UNARY, ["float32"]),
  unary(["Exp", "Tanh", "Sigmoid", "Erf"], ["float32"]),
  unary(["Neg", "Abs"], ["int32", "int64"]),
  unary(["Not"], ["bool"]),
  unary(["Identity"], ANY),
  integerDivision,
  relu,
  quantize,
  cast,
  where,
  transpose,
  reshape,
  slice,
  expand,
  pad,
  concat,
  gather,
  reduce,
  choose,
  pool,
  product,
  product,
  integerProduct,
  convolution,
  integerConvolution,
]
