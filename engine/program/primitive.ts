import { type Dtype, elementCount, PRIMITIVES } from "#protocol"
import { elementsOf, numbersOf } from "./elements.ts"
import { chosen } from "./facts.ts"
import { bitsOfFloat } from "./float32.ts"
import { type Attributes, broadcastDims, type ProgramValue, sameDims, stridesOf } from "./values.ts"

/**
 * One ONNX node read as one primitive of `docs/primitives.md`. Whatever this takes has one value for every element,
 * the same in onnxruntime and at the referee; the builder and the compiler both pass through here.
 */
export type PrimitiveNode = {
  readonly op: string
  readonly attributes: Attributes
  readonly inputs: readonly ProgramValue[]
}

export type PrimitiveOperand = {
  readonly value: ProgramValue
  /** A constant that is hashed with its last two dims swapped: the second factor of a product. */
  readonly swapped: boolean
}

export type Primitive = {
  readonly code: number
  readonly attributes: readonly bigint[]
  readonly operands: readonly PrimitiveOperand[]
  readonly dtype: Dtype
  readonly dims: readonly number[]
}

/** Why a node is no primitive; whoever catches it knows the node. */
export class NotPrimitive extends Error {
  override readonly name = "NotPrimitive"
}

type Reader = (node: PrimitiveNode) => Primitive

export function primitiveOf(node: PrimitiveNode): Primitive {
  const read = READERS[node.op]
  if (!read) throw new NotPrimitive(`${node.op} is no primitive`)
  const primitive = read(node)
  if (primitive.operands.length > MAX_OPERANDS) throw new NotPrimitive(`it reads more than ${MAX_OPERANDS} tensors`)
  if (primitive.dims.some((dim) => dim === 0)) throw new NotPrimitive("its result has no elements")
  if (primitive.dims.length > MAX_RANK) throw new NotPrimitive(`its result has more than ${MAX_RANK} dimensions`)
  if (!TYPES.has(primitive.dtype)) throw new NotPrimitive(`its result is ${primitive.dtype}`)
  return primitive
}

const MAX_OPERANDS = 64
const MAX_RANK = 8
const TYPES = new Set<Dtype>(["float32", "int32", "int64", "uint8", "int8", "bool"])
export const PROGRAM_TYPES: ReadonlySet<Dtype> = TYPES

const F: Dtype[] = ["float32"]
const ARITHMETIC: Dtype[] = ["float32", "int32", "int64"]
const ORDERED: Dtype[] = ["float32", "int32", "int64", "uint8"]
const INTEGERS: Dtype[] = ["int32", "int64"]
// The greatest and least of int64 are wrong in onnxruntime (docs/primitives.md).
const INT32: Dtype[] = ["int32"]
const REDUCIBLE: Dtype[] = ["float32", "int32", "uint8"]

const READERS: Readonly<Record<string, Reader>> = {
  Add: binary(PRIMITIVES.ADD, ARITHMETIC),
  Sub: binary(PRIMITIVES.SUB, ARITHMETIC),
  Mul: binary(PRIMITIVES.MUL, ARITHMETIC),
  Div: division,
  Neg: unary(PRIMITIVES.NEG, ARITHMETIC),
  Abs: unary(PRIMITIVES.ABS, ARITHMETIC),
  Sqrt: unary(PRIMITIVES.SQRT, F),
  Floor: unary(PRIMITIVES.FLOOR, F),
  Ceil: unary(PRIMITIVES.CEIL, F),
  Round: unary(PRIMITIVES.ROUND, F),
  Exp: unary(PRIMITIVES.EXP, F),
  Tanh: unary(PRIMITIVES.TANH, F),
  Sigmoid: unary(PRIMITIVES.SIGMOID, F),
  Erf: unary(PRIMITIVES.ERF, F),
  ThresholdedRelu: (node) => {
    const alpha = node.attributes.alpha
    if (typeof alpha !== "object" || !("f" in alpha) || !Object.is(alpha.f, 0)) throw new NotPrimitive("alpha is not 0")
    return unary(PRIMITIVES.RELU, F, ["alpha"])(node)
  },
  QuantizeLinear: quantize,
  Less: comparison(PRIMITIVES.LESS, ORDERED),
  Greater: comparison(PRIMITIVES.GREATER, ORDERED),
  Equal: comparison(PRIMITIVES.EQUAL, [...ORDERED, "bool"]),
  LessOrEqual: comparison(PRIMITIVES.LESS_OR_EQUAL, ORDERED),
  GreaterOrEqual: comparison(PRIMITIVES.GREATER_OR_EQUAL, ORDERED),
  And: binary(PRIMITIVES.AND, ["bool"]),
  Or: binary(PRIMITIVES.OR, ["bool"]),
  Xor: binary(PRIMITIVES.XOR, ["bool"]),
  Not: unary(PRIMITIVES.NOT, ["bool"]),
  Min: binary(PRIMITIVES.MIN, INT32),
  Max: binary(PRIMITIVES.MAX, INT32),
  Where: where,
  Cast: cast,
  Identity: (node) => {
    const x = only(node, [])
    return view(x, 0, stridesOf(x.dims), x.dims)
  },
  Transpose: transpose,
  Reshape: reshape,
  Slice: slice,
  Expand: expand,
  Pad: pad,
  Concat: concat,
  Gather: gather,
  ReduceMax: reduction(PRIMITIVES.REDUCE_MAX),
  ReduceMin: reduction(PRIMITIVES.REDUCE_MIN),
  ArgMax: choice(PRIMITIVES.ARG_MAX),
  ArgMin: choice(PRIMITIVES.ARG_MIN),
  MaxPool: maxPool,
  MatMul: matMul,
  MatMulInteger: matMulInteger,
  Conv: convolution,
  ConvInteger: convolutionInteger,
}

/** The ONNX operators that a program may use. */
export const PROGRAM_OPERATORS: readonly string[] = Object.keys(READERS)

// --- what every reader checks ---

function arity(node: PrimitiveNode, count: number, attributes: readonly string[] = []): readonly ProgramValue[] {
  if (node.inputs.length !== count) throw new NotPrimitive(`it has ${node.inputs.length} inputs, not ${count}`)
  return withAttributes(node, attributes)
}

/** An attribute that nobody reads here could mean something to onnxruntime. */
function withAttributes(node: PrimitiveNode, allowed: readonly string[]): readonly ProgramValue[] {
  for (const name of Object.keys(node.attributes))
    if (!allowed.includes(name)) throw new NotPrimitive(`attribute ${name} has no place here`)
  return node.inputs
}

function only(node: PrimitiveNode, attributes: readonly string[]): ProgramValue {
  return arity(node, 1, attributes)[0]!
}

function typed(value: ProgramValue, types: readonly Dtype[]): void {
  if (!types.includes(value.dtype)) throw new NotPrimitive(`it has no exact meaning for ${value.dtype}`)
}

function integer({ attributes }: PrimitiveNode, name: string): number {
  const value = attributes[name]
  if (typeof value !== "number") throw new NotPrimitive(`attribute ${name} must be given`)
  return value
}

function integers({ attributes }: PrimitiveNode, name: string, count: number): readonly number[] {
  const value = attributes[name]
  if (!Array.isArray(value) || value.length !== count)
    throw new NotPrimitive(`attribute ${name} must have ${count} numbers`)
  return value
}

/** The numbers of a constant operand of int64, such as a shape. */
function constants(value: ProgramValue | undefined, what: string): number[] {
  if (!value?.constant || value.dtype !== "int64") throw new NotPrimitive(`its ${what} is not constant`)
  return numbersOf(value.constant)
}

function constantScalar(value: ProgramValue, dtype: Dtype, what: string): bigint {
  if (!value.constant || value.dtype !== dtype || elementCount(value.dims) !== 1)
    throw new NotPrimitive(`its ${what} is not one constant ${dtype}`)
  return BigInt(elementsOf(value.constant)[0]!)
}

function plain(...values: readonly ProgramValue[]): PrimitiveOperand[] {
  return values.map((value) => ({ value, swapped: false }))
}

function big(...numbers: readonly number[]): bigint[] {
  return numbers.map(BigInt)
}

// --- elementwise ---

function unary(code: number, types: readonly Dtype[], attributes: readonly string[] = []): Reader {
  return (node) => {
    const x = only(node, attributes)
    typed(x, types)
    return { code, attributes: [], operands: plain(x), dtype: x.dtype, dims: x.dims }
  }
}

function binary(code: number, types: readonly Dtype[], dtype?: Dtype): Reader {
  return (node) => {
    const [a, b] = arity(node, 2) as [ProgramValue, ProgramValue]
    typed(a, types)
    if (a.dtype !== b.dtype) throw new NotPrimitive(`its inputs are ${a.dtype} and ${b.dtype}`)
    return { code, attributes: [], operands: plain(a, b), dtype: dtype ?? a.dtype, dims: broadcast(a, b) }
  }
}

function comparison(code: number, types: readonly Dtype[]): Reader {
  return binary(code, types, "bool")
}

function division(node: PrimitiveNode): Primitive {
  const primitive = binary(PRIMITIVES.DIV, ARITHMETIC)(node)
  const divisor = node.inputs[1]!
  // Division by 0, and of the least integer by -1, end onnxruntime's process.
  if (
    divisor.dtype !== "float32" &&
    (!divisor.constant || numbersOf(divisor.constant).some((d) => d === 0 || d === -1))
  )
    throw new NotPrimitive("it divides integers by what may be 0 or -1")
  return primitive
}

function where(node: PrimitiveNode): Primitive {
  const [condition, yes, no] = arity(node, 3) as [ProgramValue, ProgramValue, ProgramValue]
  typed(condition, ["bool"])
  typed(yes, ORDERED)
  if (yes.dtype !== no.dtype) throw new NotPrimitive(`it chooses between ${yes.dtype} and ${no.dtype}`)
  if (losesSign(condition, yes, no)) throw new NotPrimitive("it may choose a -0 where onnxruntime loses its sign")
  return {
    code: PRIMITIVES.WHERE,
    attributes: [],
    operands: plain(condition, yes, no),
    dtype: yes.dtype,
    dims: broadcast(condition, yes, no),
  }
}

/**
 * onnxruntime takes what was chosen of either side with zeros elsewhere, and then the first that is not 0: a -0 of the
 * first side is lost, one of the second only where the condition is repeated.
 */
export function losesSign(condition: ProgramValue, yes: ProgramValue, no: ProgramValue): boolean {
  const whole = elementCount(condition.dims) > 1 && sameDims(condition.dims, broadcast(condition, yes, no))
  return chosen(condition, yes).negativeZero || (no.facts.negativeZero && !whole)
}

const CAST_TARGETS: Readonly<Record<number, Dtype>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  6: "int32",
  7: "int64",
  9: "bool",
}
/** Greatest float32 that fits, and the least. */
export const CAST_BOUNDS: Partial<Record<Dtype, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int32: [-(2 ** 31), 2147483520],
  int64: [-(2 ** 63), 2 ** 63 - 2 ** 39],
}

function cast(node: PrimitiveNode): Primitive {
  const x = only(node, ["to"])
  const dtype = CAST_TARGETS[integer(node, "to")]
  if (!dtype || !TYPES.has(x.dtype))
    throw new NotPrimitive(`it casts from ${x.dtype} to element type ${integer(node, "to")}`)
  const range = x.dtype === "float32" ? CAST_BOUNDS[dtype] : undefined
  if (range && (x.facts.nan || Math.trunc(x.facts.low) < range[0] || Math.trunc(x.facts.high) > range[1]))
    throw new NotPrimitive(`it casts to ${dtype} what may not fit (${describe(x)}): processors differ over that`)
  return { code: PRIMITIVES.CAST, attributes: [], operands: plain(x), dtype, dims: x.dims }
}

function quantize(node: PrimitiveNode): Primitive {
  const [x, scale, zero] = arity(node, 3) as [ProgramValue, ProgramValue, ProgramValue]
  typed(x, F)
  typed(scale, F)
  if (zero.dtype !== "uint8" && zero.dtype !== "int8") throw new NotPrimitive(`it quantizes to ${zero.dtype}`)
  ordered(x, false)
  const [step] = scale.constant && elementCount(scale.dims) === 1 ? numbersOf(scale.constant) : []
  if (step === undefined || !(step > 0 && step < Number.POSITIVE_INFINITY))
    throw new NotPrimitive("its scale is not one positive constant")
  return {
    code: PRIMITIVES.QUANTIZE,
    attributes: [BigInt(bitsOfFloat(step)), constantScalar(zero, zero.dtype, "zero point")],
    operands: plain(x),
    dtype: zero.dtype,
    dims: x.dims,
  }
}

function describe({ facts }: ProgramValue): string {
  const parts = [`between ${facts.low} and ${facts.high}`]
  if (facts.nan) parts.push("or NaN")
  if (facts.negativeZero) parts.push("or -0")
  return parts.join(" ")
}

function broadcast(...values: readonly ProgramValue[]): number[] {
  const dims = broadcastDims(...values.map((value) => value.dims))
  if (!dims) throw new NotPrimitive(`shapes [${values.map((value) => value.dims.join()).join("] and [")}] do not fit`)
  return dims
}

// --- views ---

function view(x: ProgramValue, offset: number, strides: readonly number[], dims: readonly number[]): Primitive {
  return { code: PRIMITIVES.VIEW, attributes: big(offset, ...strides), operands: plain(x), dtype: x.dtype, dims }
}

function transpose(node: PrimitiveNode): Primitive {
  const x = only(node, ["perm"])
  const perm = integers(node, "perm", x.dims.length)
  if ([...perm].sort((a, b) => a - b).some((axis, i) => axis !== i)) throw new NotPrimitive("perm is no permutation")
  const strides = stridesOf(x.dims)
  return view(
    x,
    0,
    perm.map((axis) => strides[axis]!),
    perm.map((axis) => x.dims[axis]!),
  )
}

function reshape(node: PrimitiveNode): Primitive {
  const [x, shape] = arity(node, 2)
  const dims = constants(shape, "shape")
  if (dims.some((dim) => dim < 1) || elementCount(dims) !== elementCount(x!.dims))
    throw new NotPrimitive(`[${x!.dims}] does not fill the shape [${dims}]`)
  return view(x!, 0, stridesOf(dims), dims)
}

function slice(node: PrimitiveNode): Primitive {
  const [x, starts, ends, axes, steps] = arity(node, 5)
  const [from, to, along, by] = [
    constants(starts, "start"),
    constants(ends, "end"),
    constants(axes, "axis"),
    constants(steps, "step"),
  ]
  const strides = stridesOf(x!.dims)
  const dims = [...x!.dims]
  const outStrides = [...strides]
  let offset = 0
  along.forEach((axis, i) => {
    const [size, step] = [x!.dims[axis], by[i]!]
    if (size === undefined || along.indexOf(axis) !== i || step === 0)
      throw new NotPrimitive("its axes or steps are wrong")
    const wrap = (at: number) => (at < 0 ? at + size : at)
    const start = step > 0 ? clampTo(wrap(from[i]!), 0, size) : clampTo(wrap(from[i]!), 0, size - 1)
    const end = step > 0 ? clampTo(wrap(to[i]!), 0, size) : clampTo(wrap(to[i]!), -1, size - 1)
    dims[axis] = Math.max(0, Math.ceil((end - start) / step))
    offset += start * strides[axis]!
    outStrides[axis] = strides[axis]! * step
  })
  return view(x!, offset, outStrides, dims)
}

function clampTo(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}

function expand(node: PrimitiveNode): Primitive {
  const [x, shape] = arity(node, 2)
  const dims = broadcastDims(x!.dims, constants(shape, "shape"))
  if (!dims) throw new NotPrimitive(`[${x!.dims}] does not expand to its shape`)
  const strides = stridesOf(x!.dims)
  const shift = dims.length - x!.dims.length
  return view(
    x!,
    0,
    dims.map((_, i) => (i < shift || x!.dims[i - shift] === 1 ? 0 : strides[i - shift]!)),
    dims,
  )
}

function pad(node: PrimitiveNode): Primitive {
  const [x, pads, value] = arity(node, 3, ["mode"])
  const mode = node.attributes.mode
  if (typeof mode !== "object" || !("s" in mode) || mode.s !== "constant")
    throw new NotPrimitive("its mode is not constant")
  const amounts = constants(pads, "padding")
  const rank = x!.dims.length
  if (amounts.length !== 2 * rank || amounts.some((amount) => amount < 0))
    throw new NotPrimitive("its padding is negative or of another rank")
  if (!value!.constant || value!.dtype !== x!.dtype || elementCount(value!.dims) !== 1)
    throw new NotPrimitive("what it pads with is not one constant")
  return {
    code: PRIMITIVES.PAD,
    attributes: big(...amounts.slice(0, rank)),
    operands: plain(x!, value!),
    dtype: x!.dtype,
    dims: x!.dims.map((dim, i) => dim + amounts[i]! + amounts[i + rank]!),
  }
}

function concat(node: PrimitiveNode): Primitive {
  const inputs = withAttributes(node, ["axis"])
  const axis = integer(node, "axis")
  const first = inputs[0]!
  const others = (value: ProgramValue) => value.dims.map((dim, i) => (i === axis ? 0 : dim))
  if (
    axis < 0 ||
    axis >= first.dims.length ||
    inputs.some((value) => value.dtype !== first.dtype || !sameDims(others(value), others(first)))
  )
    throw new NotPrimitive("its inputs do not fit together")
  const size = inputs.reduce((sum, value) => sum + value.dims[axis]!, 0)
  return {
    code: PRIMITIVES.CONCAT,
    attributes: big(axis),
    operands: plain(...inputs),
    dtype: first.dtype,
    dims: first.dims.map((dim, i) => (i === axis ? size : dim)),
  }
}

function gather(node: PrimitiveNode): Primitive {
  const [data, indices] = arity(node, 2, ["axis"])
  typed(indices!, INTEGERS)
  const axis = integer(node, "axis")
  if (axis < 0 || axis >= data!.dims.length) throw new NotPrimitive(`it has no axis ${axis}`)
  return {
    code: PRIMITIVES.GATHER,
    attributes: big(axis),
    operands: plain(data!, indices!),
    dtype: data!.dtype,
    dims: [...data!.dims.slice(0, axis), ...indices!.dims, ...data!.dims.slice(axis + 1)],
  }
}

// --- reductions ---

function ordered(x: ProgramValue, signedZeros: boolean): void {
  if (x.dtype === "float32" && (x.facts.nan || (signedZeros && x.facts.negativeZero)))
    throw new NotPrimitive(
      `its operand may hold ${x.facts.nan ? "a NaN" : "a -0"}: the result would depend on the order of elements`,
    )
}

function reduction(code: number): Reader {
  return (node) => {
    const x = only(node, ["axes", "keepdims"])
    typed(x, REDUCIBLE)
    ordered(x, true)
    const [axis] = integers(node, "axes", 1)
    const keep = integer(node, "keepdims")
    if (x.dims.length === 0 || axis !== x.dims.length - 1 || (keep !== 0 && keep !== 1))
      throw new NotPrimitive("it does not reduce the last axis")
    const dims = x.dims.slice(0, -1)
    return { code, attributes: [], operands: plain(x), dtype: x.dtype, dims: keep ? [...dims, 1] : dims }
  }
}

function choice(code: number): Reader {
  return (node) => {
    const x = only(node, ["axis", "keepdims"])
    typed(x, ["float32", "int32", "uint8"])
    ordered(x, false)
    const keep = integer(node, "keepdims")
    if (x.dims.length === 0 || integer(node, "axis") !== x.dims.length - 1 || (keep !== 0 && keep !== 1))
      throw new NotPrimitive("it does not search the last axis")
    const dims = x.dims.slice(0, -1)
    return { code, attributes: [], operands: plain(x), dtype: "int64", dims: keep ? [...dims, 1] : dims }
  }
}

type Window = {
  kernel: readonly number[]
  strides: readonly number[]
  pads: readonly number[]
  dilations: readonly number[]
  out: number[]
}

function window(node: PrimitiveNode, x: ProgramValue): Window {
  if (x.dims.length !== 4) throw new NotPrimitive("it does not work on images (N, C, H, W)")
  const kernel = integers(node, "kernel_shape", 2)
  const strides = integers(node, "strides", 2)
  const pads = integers(node, "pads", 4)
  const dilations = integers(node, "dilations", 2)
  if ([...kernel, ...strides, ...dilations].some((n) => n < 1) || pads.some((n) => n < 0))
    throw new NotPrimitive("its window is malformed")
  const out = [0, 1].map(
    (i) =>
      Math.floor((x.dims[2 + i]! + pads[i]! + pads[2 + i]! - dilations[i]! * (kernel[i]! - 1) - 1) / strides[i]!) + 1,
  )
  if (out.some((size) => size < 1)) throw new NotPrimitive("its window is larger than the image")
  return { kernel, strides, pads, dilations, out }
}

function maxPool(node: PrimitiveNode): Primitive {
  const x = only(node, ["kernel_shape", "strides", "pads", "dilations"])
  typed(x, ["float32", "uint8", "int8"])
  ordered(x, true)
  const { kernel, strides, pads, dilations, out } = window(node, x)
  // onnxruntime does not load it, whatever the dilation. What it loads has no window before or behind the image.
  if (pads.some((amount, side) => amount >= kernel[side % 2]!))
    throw new NotPrimitive("its padding is not smaller than its kernel")
  const stepsOver = (i: number) => pads[i]! > 0 && dilations[i]! > x.dims[2 + i]!
  if (stepsOver(0) || stepsOver(1)) throw new NotPrimitive("a window may lie in the padding alone")
  return {
    code: PRIMITIVES.POOL_MAX,
    attributes: big(...kernel, ...strides, pads[0]!, pads[1]!, ...dilations),
    operands: plain(x),
    dtype: x.dtype,
    dims: [x.dims[0]!, x.dims[1]!, ...out],
  }
}

// --- products ---

/** The block of a chain that onnxruntime's kernel has for these sizes (`docs/primitives.md`). */
export function chainBlock(columns: number, terms: number): number {
  let [width, block] = [128, 128]
  if (columns >= terms) while (block / 2 >= terms) block /= 2
  else for (; width > 16 && width / 2 >= columns; width /= 2) block *= 2
  return block
}

const CONSTANT_BLOCK = 256

function factors(
  node: PrimitiveNode,
  a: ProgramValue,
  b: ProgramValue,
): { operands: PrimitiveOperand[]; dims: number[] } {
  if (a.dims.length < 2 || b.dims.length < 2) throw new NotPrimitive("a factor is no matrix")
  const [m, k] = a.dims.slice(-2) as [number, number]
  const [k2, n] = b.dims.slice(-2) as [number, number]
  const batch = broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2))
  if (k !== k2 || !batch) throw new NotPrimitive(`[${a.dims}] cannot be multiplied by [${b.dims}]`)
  return { operands: [{ value: a, swapped: false }, rows(node, b)], dims: [...batch, m, n] }
}

/** The second factor with columns as rows: a constant is hashed so, a computed one must come out of a Transpose. */
function rows({ op }: PrimitiveNode, b: ProgramValue): PrimitiveOperand {
  if (b.constant) return { value: b, swapped: true }
  const made = b.made
  const before = made?.code === PRIMITIVES.VIEW ? made.inputs[0]! : undefined
  const swapped = [...b.dims.slice(0, -2), ...b.dims.slice(-2).reverse()]
  if (!before || before.constant || !sameDims(before.dims, swapped))
    throw new NotPrimitive(`${op}'s second factor comes out of no Transpose`)
  const strides = stridesOf(before.dims)
  const expected = [0, ...strides.slice(0, -2), ...strides.slice(-2).reverse()]
  if (made!.attributes.some((value, i) => value !== BigInt(expected[i]!)))
    throw new NotPrimitive(`${op}'s second factor comes out of no Transpose`)
  return { value: before, swapped: false }
}

function matMul(node: PrimitiveNode): Primitive {
  const [a, b] = arity(node, 2) as [ProgramValue, ProgramValue]
  typed(a, F)
  typed(b, F)
  const { operands, dims } = factors(node, a, b)
  const [k, n] = b.dims.slice(-2) as [number, number]
  const packed = b.constant !== undefined && b.dims.length === 2
  const rowsAtOnce = b.dims.length === 2 ? elementCount(a.dims.slice(0, -1)) : a.dims.at(-2)!
  if (!packed && (rowsAtOnce < 2 || n < 2))
    throw new NotPrimitive("a product with one row or one column adds in another order")
  return {
    code: PRIMITIVES.MATMUL,
    attributes: big(packed ? CONSTANT_BLOCK : chainBlock(n, k)),
    operands,
    dtype: "float32",
    dims,
  }
}

function matMulInteger(node: PrimitiveNode): Primitive {
  const [a, b, zeroA, zeroB] = arity(node, 4) as [ProgramValue, ProgramValue, ProgramValue, ProgramValue]
  typed(a, ["uint8"])
  typed(b, ["uint8"])
  const { operands, dims } = factors(node, a, b)
  const zeros = [constantScalar(zeroA, "uint8", "zero point"), constantScalar(zeroB, "uint8", "zero point")]
  return { code: PRIMITIVES.MATMUL_INTEGER, attributes: zeros, operands, dtype: "int32", dims }
}

function convolve(
  node: PrimitiveNode,
  x: ProgramValue,
  w: ProgramValue,
): Window & { group: number; dims: number[]; terms: number } {
  const found = window(node, x)
  const group = integer(node, "group")
  const [filters, channels, ...kernel] = w.dims as [number, number, number, number]
  if (
    w.dims.length !== 4 ||
    !sameDims(kernel, found.kernel) ||
    group < 1 ||
    channels * group !== x.dims[1] ||
    filters % group !== 0
  )
    throw new NotPrimitive(`filters [${w.dims}] in ${group} groups do not fit [${x.dims}]`)
  return { ...found, group, dims: [x.dims[0]!, filters, ...found.out], terms: elementCount(w.dims.slice(1)) }
}

const CONV_ATTRIBUTES = ["kernel_shape", "strides", "pads", "dilations", "group"]

function convolution(node: PrimitiveNode): Primitive {
  const [x, w] = arity(node, 2, CONV_ATTRIBUTES) as [ProgramValue, ProgramValue]
  typed(x, F)
  typed(w, F)
  const { group, strides, pads, dilations, dims, out, terms } = convolve(node, x, w)
  const positions = elementCount(out)
  if (dims[1]! / group < 2 || positions < 2)
    throw new NotPrimitive("a convolution with one filter a group or one position adds in another order")
  return {
    code: PRIMITIVES.CONV,
    attributes: big(chainBlock(positions, terms), group, ...strides, pads[0]!, pads[1]!, ...dilations),
    operands: plain(x, w),
    dtype: "float32",
    dims,
  }
}

function convolutionInteger(node: PrimitiveNode): Primitive {
  const [x, w, zeroX, zeroW] = arity(node, 4, CONV_ATTRIBUTES) as [
    ProgramValue,
    ProgramValue,
    ProgramValue,
    ProgramValue,
  ]
  typed(x, ["uint8"])
  typed(w, ["uint8"])
  const { group, strides, pads, dilations, dims } = convolve(node, x, w)
  const zeros = [constantScalar(zeroX, "uint8", "zero point"), constantScalar(zeroW, "uint8", "zero point")]
  return {
    code: PRIMITIVES.CONV_INTEGER,
    attributes: [...zeros, ...big(group, ...strides, pads[0]!, pads[1]!, ...dilations)],
    operands: plain(x, w),
    dtype: "int32",
    dims,
  }
}
