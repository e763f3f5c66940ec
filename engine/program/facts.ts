import { type Dtype, elementCount, PRIMITIVES, type Tensor } from "#protocol"
import { elementsOf, FLOAT_MAX } from "./elements.ts"
import type { Made, ProgramValue } from "./values.ts"

/**
 * What a wire can hold, whatever the input: derived from the program alone, so that it holds for a file that somebody
 * wrote to do harm as well as for one that we made. Bounds are outward: computed in doubles and widened.
 */
export type Facts = {
  /** Bounds of all elements that are no NaN; infinite where they may be infinite. */
  readonly low: number
  readonly high: number
  /** Whether a NaN, or a -0, may be among them. Never for integers. */
  readonly nan: boolean
  readonly negativeZero: boolean
}

const RANGES: Partial<Record<Dtype, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  // Beyond 2^53 a double is not exact; the bound is on the safe side of it.
  int64: [-(2 ** 63), 2 ** 63],
  bool: [0, 1],
}

/** Any value of the type. */
export function anyOf(dtype: Dtype): Facts {
  const [low, high] = RANGES[dtype] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  return dtype in RANGES ? { low, high, nan: false, negativeZero: false } : { low, high, nan: true, negativeZero: true }
}

export function factsOfConstant(tensor: Tensor): Facts {
  const elements = elementsOf(tensor)
  let [low, high, nan, negativeZero] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, false, false]
  // Weights are most of a file: a plain loop, which the compiler knows the type of.
  for (let i = 0; i < elements.length; i++) {
    const value = Number(elements[i])
    if (value < low) low = value
    if (value > high) high = value
    if (value === 0) negativeZero ||= Object.is(value, -0)
    else nan ||= Number.isNaN(value)
  }
  return low > high ? { low: 0, high: 0, nan, negativeZero } : { low, high, nan, negativeZero }
}

export function factsOf(made: Made, dtype: Dtype): Facts {
  if (dtype === "float32") return floatFacts(made)
  const moved = movedFacts(made)
  if (moved) return moved
  if (made.code === PRIMITIVES.CAST && made.inputs[0]!.dtype !== "bool") {
    const [{ facts: from }] = made.inputs as [ProgramValue]
    const bounds = RANGES[dtype]!
    if (dtype !== "bool" && from.low >= bounds[0] && from.high <= bounds[1])
      return { low: Math.trunc(from.low), high: Math.trunc(from.high), nan: false, negativeZero: false }
  }
  return anyOf(dtype)
}

/** Primitives whose elements are elements of what they read. */
function movedFacts({ code, inputs }: Made): Facts | undefined {
  switch (code) {
    case PRIMITIVES.VIEW:
    case PRIMITIVES.REDUCE_MAX:
    case PRIMITIVES.REDUCE_MIN:
    case PRIMITIVES.POOL_MAX:
    case PRIMITIVES.GATHER:
      return inputs[0]!.facts
    case PRIMITIVES.PAD:
    case PRIMITIVES.CONCAT:
      return union(inputs.map(({ facts }) => facts))
    case PRIMITIVES.WHERE:
      return whereFacts(inputs)
    default:
      return undefined
  }
}

function floatFacts(made: Made): Facts {
  const { code, inputs } = made
  const moved = movedFacts(made)
  if (moved) return moved
  const a = inputs[0]!.facts
  const b = inputs[1]?.facts
  const monotone = (f: (value: number) => number, negativeZero: boolean): Facts =>
    bounds(f(a.low), f(a.high), a.nan, negativeZero)
  switch (code) {
    case PRIMITIVES.ADD:
      if (isZero(b!)) return { ...a, negativeZero: a.negativeZero && b!.negativeZero }
      return bounds(
        a.low + b!.low,
        a.high + b!.high,
        a.nan ||
          b!.nan ||
          (a.high === Infinity && b!.low === -Infinity) ||
          (a.low === -Infinity && b!.high === Infinity),
        a.negativeZero && b!.negativeZero,
      )
    case PRIMITIVES.SUB:
      // Less the greatest of its row: never above 0, and no more than infinities apart.
      if (lessItsGreatest(made))
        return {
          low: Number.NEGATIVE_INFINITY,
          high: 0,
          nan: a.nan || a.high === Infinity || a.low === -Infinity,
          negativeZero: a.negativeZero,
        }
      return bounds(
        a.low - b!.high,
        a.high - b!.low,
        a.nan ||
          b!.nan ||
          (a.high === Infinity && b!.high === Infinity) ||
          (a.low === -Infinity && b!.low === -Infinity),
        a.negativeZero,
      )
    case PRIMITIVES.MUL:
      return productFacts(inputs[0]!, inputs[1]!)
    case PRIMITIVES.DIV:
      return quotientFacts(inputs[0]!, inputs[1]!)
    case PRIMITIVES.NEG:
      return { low: -a.high, high: -a.low, nan: a.nan, negativeZero: holdsZero(a) }
    case PRIMITIVES.ABS:
      return {
        low: a.low > 0 ? a.low : a.high < 0 ? -a.high : 0,
        high: Math.max(Math.abs(a.low), Math.abs(a.high)),
        nan: a.nan,
        negativeZero: false,
      }
    case PRIMITIVES.SQRT:
      return bounds(Math.sqrt(Math.max(a.low, 0)), Math.sqrt(Math.max(a.high, 0)), a.nan || a.low < 0, a.negativeZero)
    case PRIMITIVES.FLOOR:
      return monotone(Math.floor, a.negativeZero)
    case PRIMITIVES.CEIL:
      return monotone(Math.ceil, a.negativeZero || (a.low < 0 && a.high > -1))
    case PRIMITIVES.ROUND:
      return bounds(Math.floor(a.low), Math.ceil(a.high), a.nan, a.negativeZero || (a.low < 0 && a.high >= -0.5))
    case PRIMITIVES.EXP: {
      // The polynomial is off by at most a few units in the last place.
      const [low, high] = [Math.exp(a.low) * (1 - 1e-5), Math.exp(a.high) * (1 + 1e-5)]
      return {
        low: low < 1e-37 ? 0 : low,
        high: high > FLOAT_MAX ? Infinity : Math.max(high, 1e-37),
        nan: a.nan,
        negativeZero: false,
      }
    }
    case PRIMITIVES.TANH:
    case PRIMITIVES.ERF:
      return { low: -1.00001, high: 1.00001, nan: a.nan, negativeZero: true }
    case PRIMITIVES.SIGMOID:
      return { low: 0, high: 1, nan: a.nan, negativeZero: false }
    case PRIMITIVES.RELU:
      return { low: Math.max(a.low, 0), high: Math.max(a.high, 0), nan: false, negativeZero: false }
    case PRIMITIVES.CAST:
      return bounds(a.low, a.high, false, inputs[0]!.dtype === "float32" && a.negativeZero)
    case PRIMITIVES.MATMUL: {
      const facts = chainFacts(inputs[0]!, inputs[1]!, inputs[0]!.dims.at(-1) ?? 1)
      const powers = inputs[0]!.made
      const exponents = powers?.code === PRIMITIVES.EXP ? powers.inputs[0]! : undefined
      // The greatest of a row has power 1, and nothing that is added to it is negative.
      if (exponents?.made && lessItsGreatest(exponents.made) && !facts.nan && b!.low > 0)
        return { ...facts, low: b!.low }
      return facts
    }
    case PRIMITIVES.CONV:
      return chainFacts(inputs[0]!, inputs[1]!, elementCount(inputs[1]!.dims.slice(1)))
    default:
      return anyOf("float32")
  }
}

function productFacts(x: ProgramValue, y: ProgramValue): Facts {
  const [a, b] = [x.facts, y.facts]
  if (x === y) {
    const high = Math.max(Math.abs(a.low), Math.abs(a.high))
    return bounds(0, high * high, a.nan, false)
  }
  const ends = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high].map((end) =>
    Number.isNaN(end) ? 0 : end,
  )
  const nan = a.nan || b.nan || (infinite(a) && holdsZero(b)) || (infinite(b) && holdsZero(a))
  return bounds(Math.min(...ends), Math.max(...ends), nan, !(nonNegative(a) && nonNegative(b)))
}

function quotientFacts(x: ProgramValue, y: ProgramValue): Facts {
  const [a, b] = [x.facts, y.facts]
  const normal = normalizedBound(x, y)
  if (normal !== undefined) return bounds(-normal, normal, a.nan, true)
  const nan = a.nan || b.nan || (holdsZero(a) && holdsZero(b)) || (infinite(a) && infinite(b))
  const negativeZero = !(nonNegative(a) && nonNegative(b))
  if (holdsZero(b)) {
    const low = nonNegative(a) && nonNegative(b) ? 0 : -Infinity
    return { low, high: Infinity, nan, negativeZero }
  }
  const ends = [a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high].map((end) =>
    Number.isNaN(end) ? 0 : end,
  )
  return bounds(Math.min(0, ...ends), Math.max(0, ...ends), nan, negativeZero)
}

/**
 * d / sqrt(mean(d * d) + e), as in a layer normalization: |d_i| <= sqrt(n * mean(d * d)), whatever d is. Without this
 * bounds would grow from layer to layer until they were infinite. Needs that d * d does not overflow.
 */
function normalizedBound(d: ProgramValue, divisor: ProgramValue): number | undefined {
  if (divisor.made?.code !== PRIMITIVES.SQRT) return undefined
  const sum = divisor.made.inputs[0]!
  if (sum.made?.code !== PRIMITIVES.ADD) return undefined
  const [mean, epsilon] = sum.made.inputs[0]!.constant
    ? [sum.made.inputs[1]!, sum.made.inputs[0]!]
    : [sum.made.inputs[0]!, sum.made.inputs[1]!]
  const square = mean.made?.code === PRIMITIVES.MATMUL ? mean.made.inputs[0]! : undefined
  const weights = mean.made?.inputs[1]
  if (!square || !weights?.constant || square.made?.code !== PRIMITIVES.MUL) return undefined
  if (square.made.inputs[0] !== d || square.made.inputs[1] !== d || !(epsilon.facts.low > 1e-30)) return undefined
  if (!(weights.facts.low > 0) || d.facts.nan || square.facts.high === Infinity || mean.facts.nan) return undefined
  if (mean.facts.high === Infinity || mean.dims.at(-1) !== 1 || mean.dims.length !== d.dims.length) return undefined
  // Every rounding is within 2^-23 of its result, or of the smallest magnitudes, which epsilon dwarfs.
  return Math.sqrt(1 / weights.facts.low) * (1 + d.dims.at(-1)! * 2 ** -22) * 1.001
}

/** A sum of k products, rounded after each. */
function chainFacts(x: ProgramValue, y: ProgramValue, k: number): Facts {
  const [a, b] = [x.facts, y.facts]
  const nonNegativeTerms = nonNegative(a) && nonNegative(b)
  const size = (f: Facts) => Math.max(Math.abs(f.low), Math.abs(f.high))
  const high = k * size(a) * size(b) * (1 + k * 2 ** -22) + k * 2 ** -149
  const overflows = !(high < FLOAT_MAX)
  return bounds(
    nonNegativeTerms ? 0 : -high,
    Number.isNaN(high) ? Infinity : high,
    a.nan || b.nan || overflows,
    !nonNegativeTerms,
  )
}

/** x - max of each row of x: as softmax has it, so that no power overflows. */
function lessItsGreatest({ code, inputs: [x, most] }: Made): boolean {
  const row = most?.made
  return (
    code === PRIMITIVES.SUB &&
    row?.code === PRIMITIVES.REDUCE_MAX &&
    row.inputs[0] === x &&
    most!.dims.length === x!.dims.length
  )
}

/** A comparison of x with a constant, or with itself, tells what x can be where it was chosen. */
function whereFacts([condition, yes, no]: readonly ProgramValue[]): Facts {
  return union([chosen(condition!, yes!), no!.facts])
}

/** What `value` can be where the condition holds. */
export function chosen(condition: ProgramValue, value: ProgramValue): Facts {
  const { facts } = value
  const made = condition.made
  if (!made || value.dtype !== "float32") return facts
  const [x, y] = made.inputs as [ProgramValue, ProgramValue]
  if (made.code === PRIMITIVES.EQUAL && x === value && y === value) return { ...facts, nan: false }
  const isLow = made.code === PRIMITIVES.GREATER || made.code === PRIMITIVES.GREATER_OR_EQUAL
  const isHigh = made.code === PRIMITIVES.LESS || made.code === PRIMITIVES.LESS_OR_EQUAL
  // Where shapes differ, an element may be chosen by the comparison of another one.
  const whole = condition.dims.length === value.dims.length && condition.dims.every((dim, i) => dim === value.dims[i])
  if (x !== value || !y?.constant || y.facts.nan || !whole || !(isLow || isHigh)) return facts
  // Strictly above or below 0 is neither zero.
  const zero =
    made.code === PRIMITIVES.GREATER ? y.facts.low < 0 : made.code === PRIMITIVES.LESS ? y.facts.high > 0 : true
  const rest = { ...facts, nan: false, negativeZero: facts.negativeZero && zero }
  return isLow
    ? { ...rest, low: Math.max(facts.low, y.facts.low) }
    : { ...rest, high: Math.min(facts.high, y.facts.high) }
}

function union(all: readonly Facts[]): Facts {
  return {
    low: Math.min(...all.map(({ low }) => low)),
    high: Math.max(...all.map(({ high }) => high)),
    nan: all.some(({ nan }) => nan),
    negativeZero: all.some(({ negativeZero }) => negativeZero),
  }
}

/** Widened by more than one rounding; beyond the greatest float32 it may be infinite. */
function bounds(low: number, high: number, nan: boolean, negativeZero: boolean): Facts {
  const down = low - Math.abs(low) * 2 ** -22 - (low === 0 ? 0 : 2 ** -149)
  const up = high + Math.abs(high) * 2 ** -22 + (high === 0 ? 0 : 2 ** -149)
  return {
    low: down < -FLOAT_MAX || Number.isNaN(down) ? -Infinity : down,
    high: up > FLOAT_MAX || Number.isNaN(up) ? Infinity : up,
    nan,
    negativeZero,
  }
}

function nonNegative({ low, negativeZero }: Facts): boolean {
  return low >= 0 && !negativeZero
}

function isZero({ low, high, nan }: Facts): boolean {
  return low === 0 && high === 0 && !nan
}

function holdsZero({ low, high }: Facts): boolean {
  return low <= 0 && high >= 0
}

function infinite({ low, high }: Facts): boolean {
  return low === -Infinity || high === Infinity
}
