import { dtypeOfOnnxNumber } from "#protocol"
import type { Value } from "../builder.ts"
import type { Comparison, Ops } from "../ops.ts"
import { PROGRAM_TYPES } from "../primitive.ts"
import { broadcastDims } from "../values.ts"
import { float, input, int, type Lower, type Lowering, refuse, text, uniform } from "./lowering.ts"

/** Operators that work on each element by itself. */

const both =
  (f: (o: Ops, a: Value, b: Value) => Value): Lower =>
  (l) => [f(l.o, input(l, 0), input(l, 1))]
const one =
  (f: (o: Ops, x: Value, l: Lowering) => Value): Lower =>
  (l) => [f(l.o, input(l, 0), l)]
/** Of any number of inputs, from the left. */
const fold =
  (f: (o: Ops, a: Value, b: Value) => Value): Lower =>
  (l) => [l.inputs.map((_, i) => input(l, i)).reduce((a, b) => f(l.o, a, b))]
const compare = (op: Comparison) => both((o, a, b) => o.compare(op, a, b))
const floatOnly = (f: (o: Ops, x: Value, l: Lowering) => Value): Lower =>
  one((o, x, l) => {
    if (x.dtype !== "float32") refuse(`it works on ${x.dtype}`, "cast its input to float32")
    return f(o, x, l)
  })

export const elementwise: Readonly<Record<string, Lower>> = {
  Add: both((o, a, b) => o.add(a, b)),
  Sub: both((o, a, b) => o.sub(a, b)),
  Mul: both((o, a, b) => o.mul(a, b)),
  Div: both((o, a, b) => o.div(a, b)),
  Sum: fold((o, a, b) => o.add(a, b)),
  Mean: (l) => {
    const [sum] = elementwise.Sum!(l)
    return [l.inputs.length === 1 ? sum! : l.o.div(sum!, l.o.scalar(l.inputs.length))]
  },
  Neg: one((o, x) => o.neg(x)),
  Abs: one((o, x) => o.abs(x)),
  Sqrt: one((o, x) => o.sqrt(x)),
  Floor: one((o, x) => o.floor(x)),
  Ceil: one((o, x) => o.ceil(x)),
  Round: one((o, x) => o.round(x)),
  Exp: one((o, x) => o.exp(x)),
  Tanh: one((o, x) => o.tanh(x)),
  Sigmoid: one((o, x) => o.sigmoid(x)),
  Erf: one((o, x) => o.erf(x)),
  Not: one((o, x) => o.not(x)),
  And: both((o, a, b) => o.logic("And", a, b)),
  Or: both((o, a, b) => o.logic("Or", a, b)),
  Xor: both((o, a, b) => o.logic("Xor", a, b)),
  Less: compare("Less"),
  Greater: compare("Greater"),
  Equal: compare("Equal"),
  LessOrEqual: compare("LessOrEqual"),
  GreaterOrEqual: compare("GreaterOrEqual"),
  Where: (l) => [l.o.where(input(l, 0), input(l, 1), input(l, 2))],
  Max: fold((o, a, b) => extreme(o, "Greater", a, b)),
  Min: fold((o, a, b) => extreme(o, "Less", a, b)),
  Clip: (l) => {
    const { o } = l
    const bound = (at: number, name: string): Value | undefined =>
      l.inputs[at] ?? (l.node.attributes.has(name) ? o.scalar(float(l, name, 0)) : undefined)
    const [low, high] = [bound(1, "min"), bound(2, "max")]
    const x = input(l, 0)
    const raised = low ? (uniform(low) === 0 && x.dtype === "float32" ? o.relu(x) : extreme(o, "Greater", x, low)) : x
    return [high ? extreme(o, "Less", raised, high) : raised]
  },
  Relu: one((o, x) => (x.dtype === "float32" ? o.relu(x) : extreme(o, "Greater", x, o.number(x.dtype, 0)))),
  LeakyRelu: floatOnly((o, x, l) => leaky(o, x, o.scalar(float(l, "alpha", 0.01)))),
  PRelu: both(leaky),
  Elu: floatOnly((o, x, l) => elu(o, x, float(l, "alpha", 1))),
  Celu: floatOnly((o, x, l) => {
    const alpha = float(l, "alpha", 1)
    return elu(o, x, alpha, alpha)
  }),
  Selu: floatOnly((o, x, l) => {
    const gamma = float(l, "gamma", 1.0507009873554805)
    const alpha = float(l, "alpha", 1.6732632423543772)
    const rise = o.sub(o.exp(x), o.scalar(1))
    return o.where(positive(o, x), o.mul(x, o.scalar(gamma)), o.mul(rise, o.scalar(gamma * alpha)))
  }),
  ThresholdedRelu: floatOnly((o, x, l) => {
    const alpha = float(l, "alpha", 1)
    return alpha === 0 ? o.relu(x) : o.where(o.compare("Greater", x, o.scalar(alpha)), x, o.scalar(0))
  }),
  HardSigmoid: floatOnly((o, x, l) => hardSigmoid(o, x, float(l, "alpha", 0.2), float(l, "beta", 0.5))),
  HardSwish: floatOnly((o, x) => o.mul(x, hardSigmoid(o, x, 1 / 6, 0.5))),
  Softsign: floatOnly((o, x) => o.div(x, o.add(o.abs(x), o.scalar(1)))),
  Softplus: floatOnly(softplus),
  Mish: floatOnly((o, x) => o.mul(x, o.tanh(softplus(o, x)))),
  Shrink: floatOnly((o, x, l) => {
    const [lambda, bias] = [float(l, "lambd", 0.5), o.scalar(float(l, "bias", 0))]
    const above = o.where(o.compare("Greater", x, o.scalar(lambda)), o.sub(x, bias), o.scalar(0))
    return o.where(o.compare("Less", x, o.scalar(-lambda)), o.add(x, bias), above)
  }),
  Sign: one((o, x) => {
    const [minus, zero, plus] = [-1, 0, 1].map((value) => o.number(x.dtype, value)) as [Value, Value, Value]
    return o.where(o.compare("Greater", x, zero), plus, o.where(o.compare("Less", x, zero), minus, zero))
  }),
  Swish: floatOnly((o, x, l) => o.mul(x, o.sigmoid(o.mul(x, o.scalar(float(l, "alpha", 1)))))),
  Gelu: floatOnly((o, x, l) => (text(l, "approximate", "none") === "tanh" ? geluTanh(o, x) : gelu(o, x))),
  Reciprocal: floatOnly((o, x) => o.div(o.scalar(1), x)),
  Log: floatOnly((o, x) => log(o, x)),
  Sin: floatOnly((o, x) => sine(o, x)),
  Cos: floatOnly((o, x) => sine(o, o.add(x, o.scalar(Math.PI / 2)))),
  Pow: both(power),
  Mod: (l) => {
    const { o } = l
    const [a, b] = [input(l, 0), input(l, 1)]
    if (int(l, "fmod", 0) === 1 || a.dtype === "float32")
      refuse("it takes a remainder of floats", "take it outside the model")
    const remainder = o.sub(a, o.mul(o.div(a, b), b))
    // Division truncates; Mod takes the divisor's sign.
    const zero = o.number(a.dtype, 0)
    const differs = o.logic("Xor", o.compare("Less", remainder, zero), o.compare("Less", b, zero))
    return [
      o.where(o.logic("And", differs, o.not(o.compare("Equal", remainder, zero))), o.add(remainder, b), remainder),
    ]
  },
  IsNaN: floatOnly((o, x) => o.not(o.compare("Equal", x, x))),
  IsInf: floatOnly((o, x) => o.compare("Equal", o.abs(x), o.scalar(Number.POSITIVE_INFINITY))),
  Identity: one((_, x) => x),
  Dropout: one((_, x) => x),
  Cast: one((o, x, l) => {
    const dtype = dtypeOfOnnxNumber(int(l, "to", 0))
    if (!dtype || !PROGRAM_TYPES.has(dtype))
      return refuse(`it casts to ${dtype ?? "an unknown type"}`, floatRemedy(dtype))
    return o.cast(x, dtype)
  }),
  CastLike: both((o, x, like) => o.cast(x, like.dtype)),
}

export function floatRemedy(dtype: string | undefined): string {
  return dtype === "float16" || dtype === "bfloat16"
    ? "export the model in float32 (model.float()): half precision is rounded differently by every processor"
    : dtype === "float64"
      ? "export the model in float32 (model.float())"
      : "use float32, int32, int64, uint8, int8 or bool"
}

/** NaN loses; so the result depends on nothing but the numbers. */
export function extreme(o: Ops, op: "Greater" | "Less", a: Value, b: Value): Value {
  if (a.dtype === "int32") return o.emit(op === "Greater" ? "Max" : "Min", [a, b])
  if (a.dtype === "float32") return op === "Greater" ? o.atLeast(a, b) : o.atMost(a, b)
  return o.where(o.compare(op, a, b), a, b)
}

function positive(o: Ops, x: Value): Value {
  return o.compare("Greater", x, o.scalar(0))
}

function leaky(o: Ops, x: Value, slope: Value): Value {
  return o.where(positive(o, x), x, o.mul(x, slope))
}

function elu(o: Ops, x: Value, alpha: number, width = 1): Value {
  const rise = o.sub(o.exp(o.div(x, o.scalar(width))), o.scalar(1))
  return o.where(positive(o, x), x, o.mul(rise, o.scalar(alpha)))
}

function hardSigmoid(o: Ops, x: Value, alpha: number, beta: number): Value {
  const line = o.add(o.mul(x, o.scalar(alpha)), o.scalar(beta))
  return o.atMost(o.relu(line), o.scalar(1))
}

export function gelu(o: Ops, x: Value): Value {
  const half = o.mul(x, o.scalar(0.5))
  return o.mul(half, o.add(o.erf(o.mul(x, o.scalar(Math.SQRT1_2))), o.scalar(1)))
}

/** x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), which is the same and needs no 1 + and no half. */
export function geluTanh(o: Ops, x: Value): Value {
  const c = 2 * Math.sqrt(2 / Math.PI)
  const inner = o.mul(x, o.add(o.mul(o.mul(x, x), o.scalar(c * 0.044715)), o.scalar(c)))
  return o.mul(x, o.sigmoid(inner))
}

function softplus(o: Ops, x: Value): Value {
  const rest = log(o, o.add(o.exp(o.neg(o.abs(x))), o.scalar(1)))
  return o.add(o.relu(x), rest)
}

/**
 * The natural logarithm: halve or double until the number lies in [1, 2), which is exact, then 2 artanh((m-1)/(m+1)).
 * onnxruntime's own depends on where in a buffer an element stands. Steps that no value can need are left out.
 */
export function log(o: Ops, x: Value): Value {
  let m = x
  let k = o.scalar(0)
  const step = (power: number, condition: Value): void => {
    m = o.where(condition, o.mul(m, o.scalar(2 ** -power)), m)
    k = o.where(condition, o.add(k, o.scalar(power)), k)
  }
  for (const power of [64, 32, 16, 8, 4, 2, 1])
    if (x.facts.high >= 2 ** power) step(power, o.compare("GreaterOrEqual", m, o.scalar(2 ** power)))
  if (!(x.facts.low >= 1))
    for (const power of [64, 64, 32, 16, 8, 4, 2, 1]) step(-power, o.compare("Less", m, o.scalar(2 ** (1 - power))))
  step(1, o.compare("Greater", m, o.scalar(Math.SQRT2)))
  const t = o.div(o.sub(m, o.scalar(1)), o.add(m, o.scalar(1)))
  const s = o.mul(t, t)
  const series = horner(o, s, [2 / 9, 2 / 7, 2 / 5, 2 / 3, 2])
  const result = o.add(o.mul(k, o.scalar(Math.LN2)), o.mul(t, series))
  if (x.facts.low > 0 && x.facts.high < Infinity && !x.facts.nan) return result
  const infinity = o.scalar(Number.POSITIVE_INFINITY)
  const finite = o.where(o.compare("Less", x, infinity), result, x)
  const zero = o.where(o.compare("Greater", x, o.scalar(0)), finite, o.scalar(Number.NEGATIVE_INFINITY))
  return o.where(o.compare("Less", x, o.scalar(0)), o.scalar(Number.NaN), zero)
}

function horner(o: Ops, x: Value, coefficients: readonly number[]): Value {
  const [first, ...rest] = coefficients.map((c) => o.scalar(c))
  return rest.reduce((sum, c) => o.add(o.mul(sum, x), c), first!)
}

/** x less its multiple of pi, in three parts, then the series; an odd multiple turns the sign. */
export function sine(o: Ops, x: Value): Value {
  const k = o.round(o.mul(x, o.scalar(1 / Math.PI)))
  const parts = [3.140625, 9.675025939941406e-4, 1.50995799e-7]
  const r = parts.reduce((rest, part) => o.sub(rest, o.mul(k, o.scalar(part))), x)
  const s = o.mul(r, r)
  const value = o.mul(r, horner(o, s, [2.7557319e-6, -1.98412698e-4, 8.33333333e-3, -1.66666667e-1, 1]))
  const odd = o.sub(k, o.mul(o.floor(o.mul(k, o.scalar(0.5))), o.scalar(2)))
  return o.mul(value, o.sub(o.scalar(1), o.mul(odd, o.scalar(2))))
}

function power(o: Ops, x: Value, exponent: Value): Value {
  const p = uniform(exponent)
  if (p !== undefined && sameShape(x, exponent)) {
    const whole = wholePower(o, x, Math.abs(p))
    if (whole) return p < 0 ? o.div(o.number(x.dtype, 1), whole) : whole
  }
  if (x.dtype !== "float32")
    refuse(`it raises ${x.dtype} to a power that is not a small constant`, "cast to float32 first")
  const y = o.cast(exponent, "float32")
  const base = uniform(x)
  if (base !== undefined && base > 0) return o.exp(o.mul(y, o.scalar(Math.log(base))))
  const size = o.exp(o.mul(y, log(o, o.abs(x))))
  const half = o.mul(y, o.scalar(0.5))
  const odd = o.not(o.compare("Equal", o.floor(half), half))
  const isWhole = o.compare("Equal", o.floor(y), y)
  const negative = o.where(isWhole, o.where(odd, o.neg(size), size), o.scalar(Number.NaN))
  const result = o.where(o.compare("Less", x, o.scalar(0)), negative, size)
  return o.where(o.compare("Equal", y, o.scalar(0)), o.scalar(1), result)
}

function sameShape(x: Value, exponent: Value): boolean {
  return broadcastDims(x.dims, exponent.dims)?.join() === x.dims.join()
}

/** By multiplication, and one root for halves. */
function wholePower(o: Ops, x: Value, p: number): Value | undefined {
  if (p > 16 || !Number.isInteger(p * 2) || (x.dtype !== "float32" && !Number.isInteger(p))) return undefined
  if (p === 0) return o.add(o.mul(x, o.number(x.dtype, 0)), o.number(x.dtype, 1))
  const factors: Value[] = Number.isInteger(p) ? [] : [o.sqrt(x)]
  let square = x
  for (let rest = Math.floor(p); rest > 0; rest >>= 1) {
    if (rest & 1) factors.push(square)
    if (rest > 1) square = o.mul(square, square)
  }
  return factors.reduce((a, b) => o.mul(a, b))
}
