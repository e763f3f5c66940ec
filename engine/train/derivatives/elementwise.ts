import type { Value } from "../../program/builder.ts"
import { FLOAT_MAX } from "../../program/elements.ts"
import type { Ops } from "../../program/ops.ts"
import { sameDims } from "../../program/values.ts"
import { type Contribution, type Derivative, pair } from "./derivative.ts"
import { softmaxOf } from "./softmax.ts"
import { sumTo } from "./sumTo.ts"

/** d erf(x) / dx = 2 / sqrt(pi) exp(-x^2). */
const ERF_SLOPE = 2 / Math.sqrt(Math.PI)

/** y = f(x), given dy/dx times the gradient. */
function unary(slope: (o: Ops, g: Value, y: Value, x: Value) => Value): Derivative {
  return ({ o, node, value, gradient }) => {
    const [x] = pair(node)
    return [{ to: x, of: () => slope(o, gradient, value, x) }]
  }
}

/** Two operands that were broadcast to the shape of the result. */
function binary(
  left: (o: Ops, g: Value, a: Value, b: Value, y: Value) => Value,
  right: (o: Ops, g: Value, a: Value, b: Value, y: Value) => Value,
): Derivative {
  return ({ o, node, value, gradient }) => {
    const [a, b] = pair(node)
    return [
      { to: a, of: () => sumTo(o, left(o, gradient, a, b, value), a.dims) },
      { to: b, of: () => sumTo(o, right(o, gradient, a, b, value), b.dims) },
    ]
  }
}

export const elementwise: Readonly<Record<string, Derivative>> = {
  Add: binary(
    (_, g) => g,
    (_, g) => g,
  ),
  Sub: binary(
    (_, g) => g,
    (o, g) => o.neg(g),
  ),
  Mul: binary(
    (o, g, _, b) => o.mul(g, b),
    (o, g, a) => o.mul(g, a),
  ),
  Div: (differential) => {
    const { o, value, gradient } = differential
    const rows = softmaxOf(value)
    // p = softmax(r): dr = p (g - sum(g p)), which is shorter than through the powers and their sum.
    if (rows)
      return [
        {
          to: rows,
          of: () => o.mul(value, o.sub(gradient, o.sumLast(o.mul(gradient, value)))),
        },
      ]
    return quotient(differential)
  },
  Neg: unary((o, g) => o.neg(g)),
  Abs: unary((o, g, _, x) => {
    const zero = o.scalar(0)
    const below = o.where(o.compare("Less", x, zero), o.neg(g), g)
    return keepWhere(o, o.not(o.compare("Equal", x, zero)), below)
  }),
  Sqrt: unary((o, g, y) => o.div(o.mul(g, o.scalar(0.5)), y)),
  Exp: unary((o, g, y) => o.mul(g, y)),
  Tanh: unary((o, g, y) => o.mul(g, o.sub(o.scalar(1), o.mul(y, y)))),
  Sigmoid: unary((o, g, y) => o.mul(g, o.mul(y, o.sub(o.scalar(1), y)))),
  Erf: unary((o, g, _, x) => o.mul(g, o.mul(o.exp(o.neg(o.mul(x, x))), o.scalar(ERF_SLOPE)))),
  // Steps: where they have a derivative it is 0.
  Floor: () => [],
  Ceil: () => [],
  Round: () => [],
  ThresholdedRelu: unary((o, g, y) => dropWhere(o, o.compare("LessOrEqual", y, o.scalar(0)), g)),
  Where: ({ o, node, gradient, value }) => {
    const [condition, yes, no] = node.inputs as [Value, Value, Value]
    // Against the least float this is the identity for every number.
    if (isFloor(no)) return [{ to: yes, of: () => sumTo(o, gradient, yes.dims) }]
    const whole = sameDims(condition.dims, value.dims)
    const spread = whole ? condition : undefined
    const part = (take: boolean, to: Value): Contribution => ({
      to,
      of: () => {
        const taken = take ? keepWhere(o, spread ?? condition, gradient) : dropWhere(o, spread ?? condition, gradient)
        return sumTo(o, taken, to.dims)
      },
    })
    return [part(true, yes), part(false, no)]
  },
}

const quotient = binary(
  (o, g, _, b) => o.div(g, b),
  (o, g, _, b, y) => o.neg(o.mul(o.div(g, b), y)),
)

function isFloor({ constant, facts }: Value): boolean {
  return constant !== undefined && facts.high <= -FLOAT_MAX
}

/** The gradient where the condition does not hold, else +0. */
export function dropWhere(o: Ops, condition: Value, gradient: Value): Value {
  return o.where(condition, o.scalar(0), gradient)
}

export function keepWhere(o: Ops, condition: Value, gradient: Value): Value {
  return dropWhere(o, o.not(condition), gradient)
}
