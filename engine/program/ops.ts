import { type Dtype, elementCount, onnxNumberOf } from "#protocol"
import { type Builder, madeBy, type Value } from "./builder.ts"
import { FLOAT_MAX, floats, int64s, tensorOf } from "./elements.ts"
import { CAST_BOUNDS, losesSign } from "./primitive.ts"
import { broadcastDims, sameDims } from "./values.ts"

/** The vocabulary in which models are rewritten: primitives, and what is made of them again and again. */
export type Ops = ReturnType<typeof createOps>

export function createOps(builder: Builder) {
  const { emit, constant } = builder

  // --- constants ---

  const scalar = (value: number): Value => constant(floats([], [value]))
  const vector = (values: ArrayLike<number>, dims: readonly number[] = [values.length]): Value =>
    constant(floats(dims, values))
  const filled = (value: number, dims: readonly number[]): Value =>
    constant(tensorOf("float32", dims, new Float32Array(elementCount(dims)).fill(value)))
  /** A scalar of any type that programs have. */
  function number(dtype: Dtype, value: number): Value {
    if (dtype === "float32") return scalar(value)
    return cast(constant(int64s([value], [])), dtype)
  }

  // --- elementwise ---

  /** A constant that every element of x meets with the same number. */
  function isUniform(value: Value, number: number): boolean {
    return (
      value.constant !== undefined &&
      value.dtype === "float32" &&
      Object.is(value.facts.low, value.facts.high) &&
      value.facts.low === number &&
      !value.facts.nan
    )
  }

  const fills = (x: Value, other: Value): boolean => sameDims(broadcastDims(x.dims, other.dims) ?? [], x.dims)

  function add(a: Value, b: Value): Value {
    return emit("Add", [a, b])
  }
  function sub(a: Value, b: Value): Value {
    // x - (+0) is x, -0 included; x + 0 is not.
    if (isUniform(b, 0) && !b.facts.negativeZero && fills(a, b)) return a
    return emit("Sub", [a, b])
  }
  function mul(a: Value, b: Value): Value {
    if (isUniform(b, 1) && fills(a, b)) return a
    if (isUniform(a, 1) && fills(b, a)) return b
    return emit("Mul", [a, b])
  }
  function div(a: Value, b: Value): Value {
    if (isUniform(b, 1) && fills(a, b)) return a
    return emit("Div", [a, b])
  }
  const unary = (op: string) => (x: Value) => emit(op, [x])
  const [neg, abs, sqrt, floor, ceil, round, exp, tanh, sigmoid, erf, not] = [
    "Neg",
    "Abs",
    "Sqrt",
    "Floor",
    "Ceil",
    "Round",
    "Exp",
    "Tanh",
    "Sigmoid",
    "Erf",
    "Not",
  ].map(unary) as [Unary, Unary, Unary, Unary, Unary, Unary, Unary, Unary, Unary, Unary, Unary]
  const relu = (x: Value): Value => emit("ThresholdedRelu", [x], { alpha: { f: 0 } })
  const compare = (op: Comparison, a: Value, b: Value): Value => emit(op, [a, b])
  const logic = (op: "And" | "Or" | "Xor", a: Value, b: Value): Value => emit(op, [a, b])

  function where(condition: Value, yes: Value, no: Value): Value {
    // onnxruntime chooses between the wider types alone.
    if (yes.dtype === "bool") return cast(where(condition, cast(yes, "uint8"), cast(no, "uint8")), "bool")
    if (yes.dtype === "int8") return cast(where(condition, cast(yes, "int32"), cast(no, "int32")), "int8")
    if (yes.dtype !== "float32" || !losesSign(condition, yes, no)) return emit("Where", [condition, yes, no])
    const signless = (x: Value) => (x.facts.negativeZero ? add(x, scalar(0)) : x)
    return emit("Where", [condition, signless(yes), signless(no)])
  }

  /** Float values are brought inside an integer type first: what does not fit differs between processors. */
  function cast(x: Value, dtype: Dtype): Value {
    if (x.dtype === dtype) return x
    const range = x.dtype === "float32" ? CAST_BOUNDS[dtype] : undefined
    return emit("Cast", [range ? clamp(x, range[0], range[1]) : x], { to: onnxNumberOf(dtype) })
  }

  /** Between two numbers; NaN becomes the lower one. Nothing where the bounds hold already. */
  function clamp(x: Value, low: number, high: number): Value {
    const raised = x.facts.nan || x.facts.low < low ? atLeast(x, scalar(low)) : x
    return raised.facts.high > high || raised.facts.nan ? atMost(raised, scalar(high)) : raised
  }
  /** The greater of two; NaN loses, and -0 is 0 where one is repeated: the facts know this pattern by its operands. */
  const atLeast = (x: Value, low: Value): Value => choose("Greater", x, low)
  const atMost = (x: Value, high: Value): Value => choose("Less", x, high)
  function choose(op: "Greater" | "Less", x: Value, other: Value): Value {
    const condition = compare(op, x, other)
    if (!losesSign(condition, x, other)) return where(condition, x, other)
    const signless = add(x, scalar(0))
    return where(compare(op, signless, other), signless, other)
  }

  /** Without NaN and -0, so that a maximum does not depend on the order in which it is taken. */
  function orderly(x: Value, { zeros = true } = {}): Value {
    if (x.dtype !== "float32") return x
    const ordered = x.facts.nan ? atLeast(x, scalar(-FLOAT_MAX)) : x
    return zeros && ordered.facts.negativeZero ? add(ordered, scalar(0)) : ordered
  }

  // --- views ---

  function reshape(x: Value, dims: readonly number[]): Value {
    if (sameDims(x.dims, dims)) return x
    const before = madeBy(x, "Reshape")
    if (before) return reshape(before.inputs[0]!, dims)
    if (x.constant) return constant({ ...x.constant, dims: [...dims] }, x.facts)
    return emit("Reshape", [x, builder.ints(dims)])
  }

  function transpose(x: Value, perm: readonly number[]): Value {
    const before = madeBy(x, "Transpose")
    if (before) {
      const inner = before.attributes.perm as readonly number[]
      return transpose(
        before.inputs[0]!,
        perm.map((axis) => inner[axis]!),
      )
    }
    const moved = perm.filter((axis) => x.dims[axis] !== 1)
    const dims = perm.map((axis) => x.dims[axis]!)
    // Moving dims of 1 moves no element.
    if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis)) return reshape(x, dims)
    return emit("Transpose", [x], { perm: [...perm] })
  }

  function swapLast(rank: number): number[] {
    const perm = Array.from({ length: rank }, (_, i) => i)
    return [...perm.slice(0, -2), rank - 1, rank - 2]
  }

  /** An axis to the end, and back. */
  function axisLast(x: Value, axis: number): Value {
    return transpose(x, [...x.dims.keys()].filter((i) => i !== axis).concat(axis))
  }
  function axisBack(x: Value, axis: number): Value {
    const last = x.dims.length - 1
    return transpose(
      x,
      [...x.dims.keys()].map((i) => (i === axis ? last : i < axis ? i : i - 1)),
    )
  }

  type Cut = { readonly axis: number; readonly start: number; readonly end: number; readonly step?: number }

  /** Ends as ONNX counts them: with a negative step, below -size - 1 means "through the first element". */
  function slice(x: Value, cuts: readonly Cut[]): Value {
    const real = cuts.filter(({ axis, start, end, step = 1 }) => !(start === 0 && step === 1 && end >= x.dims[axis]!))
    if (real.length === 0) return x
    return emit("Slice", [
      x,
      builder.ints(real.map(({ start }) => start)),
      builder.ints(real.map(({ end }) => end)),
      builder.ints(real.map(({ axis }) => axis)),
      builder.ints(real.map(({ step = 1 }) => step)),
    ])
  }
  const range = (x: Value, axis: number, start: number, end: number): Value => slice(x, [{ axis, start, end }])

  function expand(x: Value, dims: readonly number[]): Value {
    return sameDims(x.dims, dims) ? x : emit("Expand", [x, builder.ints(dims)])
  }

  const MOST = 64
  function concat(parts: readonly Value[], axis: number): Value {
    if (parts.length === 1) return parts[0]!
    if (parts.length <= MOST) return emit("Concat", parts, { axis })
    const groups = Array.from({ length: Math.ceil(parts.length / MOST) }, (_, i) =>
      parts.slice(i * MOST, (i + 1) * MOST),
    )
    return concat(
      groups.map((group) => concat(group, axis)),
      axis,
    )
  }
  const gather = (x: Value, indices: Value, axis: number): Value => emit("Gather", [x, indices], { axis })
  function pad(x: Value, begins: readonly number[], ends: readonly number[], value: Value): Value {
    if ([...begins, ...ends].every((amount) => amount === 0)) return x
    return emit("Pad", [x, builder.ints([...begins, ...ends]), value], { mode: { s: "constant" } })
  }

  // --- products and reductions ---

  /** Any two factors of rank 2 or more. */
  function matMul(a: Value, b: Value): Value {
    const batches = b.dims.slice(0, -2)
    if (b.constant && batches.length > 0 && batches.every((dim) => dim === 1)) {
      const rank = Math.max(a.dims.length, b.dims.length)
      const lifted = reshape(a, [...new Array<number>(rank - a.dims.length).fill(1), ...a.dims])
      return matMul(lifted, reshape(b, b.dims.slice(-2)))
    }
    const n = b.dims.at(-1)!
    const rows = b.dims.length === 2 ? elementCount(a.dims.slice(0, -1)) : a.dims.at(-2)!
    const m = a.dims.at(-2)!
    if (!(b.constant && b.dims.length === 2)) {
      // The kernels for one row or one column add in another order: with two there is one that does not.
      if (rows < 2)
        return range(matMul(concat([a, a], a.dims.length - 2), b), Math.max(a.dims.length, b.dims.length) - 2, 0, m)
      if (n < 2)
        return range(matMul(a, concat([b, b], b.dims.length - 1)), Math.max(a.dims.length, b.dims.length) - 1, 0, n)
    }
    return emit("MatMul", [a, b.constant ? b : fromRows(b)])
  }

  /** The same value, coming out of the Transpose that the compiler wants to see before a second factor. */
  function fromRows(b: Value): Value {
    return emit("Transpose", [transpose(b, swapLast(b.dims.length))], { perm: swapLast(b.dims.length) })
  }

  /** Sums of the last axis, which stays as 1, each element weighed. */
  function weighLast(x: Value, weight: number): Value {
    const n = x.dims.at(-1)!
    const flat = x.dims.length < 2 ? reshape(x, [1, n]) : x
    return reshape(matMul(flat, filled(weight, [n, 1])), [...x.dims.slice(0, -1), 1])
  }
  const sumLast = (x: Value): Value => weighLast(x, 1)
  const meanLast = (x: Value): Value => weighLast(x, 1 / x.dims.at(-1)!)

  function extremeLast(op: "ReduceMax" | "ReduceMin", x: Value, keepdims: 0 | 1): Value {
    return emit(op, [orderly(x)], { axes: [x.dims.length - 1], keepdims })
  }
  function chooseLast(op: "ArgMax" | "ArgMin", x: Value, keepdims: 0 | 1): Value {
    return emit(op, [orderly(x, { zeros: false })], { axis: x.dims.length - 1, keepdims })
  }

  return {
    builder,
    emit,
    constant,
    scalar,
    vector,
    filled,
    number,
    add,
    sub,
    mul,
    div,
    neg,
    abs,
    sqrt,
    floor,
    ceil,
    round,
    exp,
    tanh,
    sigmoid,
    erf,
    not,
    relu,
    compare,
    logic,
    where,
    cast,
    clamp,
    atLeast,
    atMost,
    orderly,
    reshape,
    transpose,
    axisLast,
    axisBack,
    slice,
    range,
    expand,
    concat,
    gather,
    pad,
    matMul,
    fromRows,
    sumLast,
    meanLast,
    extremeLast,
    chooseLast,
  }
}

type Unary = (x: Value) => Value
export type Comparison = "Less" | "Greater" | "Equal" | "LessOrEqual" | "GreaterOrEqual"
