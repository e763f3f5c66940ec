import { elementCount } from "#protocol"
import type { Value } from "../../program/builder.ts"
import { swapped } from "../../program/lower/products.ts"
import type { Ops } from "../../program/ops.ts"
import { type Derivative, pair } from "./derivative.ts"
import { sumTo } from "./sumTo.ts"

/** Sums of products, and the extremes of rows. */
export const products: Readonly<Record<string, Derivative>> = {
  MatMul: ({ o, node, gradient }) => {
    const [a, b] = pair(node)
    const weight = uniformColumn(b)
    return [
      {
        to: a,
        // A weighed sum of rows: every term of it has the same gradient.
        of: () =>
          weight !== undefined
            ? o.mul(gradient, o.scalar(weight))
            : sumTo(o, o.matMul(gradient, swapped(o, b)), a.dims),
      },
      { to: b, of: () => byRight(o, a, b, gradient) },
    ]
  },
  ReduceMax: extreme,
  ReduceMin: extreme,
}

function byRight(o: Ops, a: Value, b: Value, gradient: Value): Value {
  if (b.dims.length > 2) return sumTo(o, o.matMul(swapped(o, a), gradient), b.dims)
  const rows = elementCount(a.dims.slice(0, -1))
  const left = o.reshape(a, [rows, a.dims.at(-1)!])
  return o.matMul(o.transpose(left, [1, 0]), o.reshape(gradient, [rows, gradient.dims.at(-1)!]))
}

/** The number that a constant of shape (n, 1) repeats. */
function uniformColumn({ constant, dims, facts }: Value): number | undefined {
  const column = constant !== undefined && dims.length === 2 && dims[1] === 1
  return column && facts.low === facts.high && !facts.nan ? facts.low : undefined
}

/** Equal greatest elements share the gradient evenly. */
function extreme({ o, node, value, gradient }: Parameters<Derivative>[0]): ReturnType<Derivative> {
  const [x] = pair(node)
  const column = [...x.dims.slice(0, -1), 1]
  const share = () => {
    const hits = o.cast(o.compare("Equal", x, o.reshape(value, column)), "float32")
    return o.mul(hits, o.div(o.reshape(gradient, column), o.sumLast(hits)))
  }
  return [{ to: x, of: share }]
}
