import type { Value } from "../program/builder.ts"
import type { Ops } from "../program/ops.ts"

export type Optimizer =
  /** m' = momentum m + g, p' = p - rate m'. */
  | { readonly kind: "sgd"; readonly momentum?: number }
  /** Adam with decoupled weight decay of every parameter, https://arxiv.org/abs/1711.05101, algorithm 2. */
  | {
      readonly kind: "adamw"
      readonly beta1?: number
      readonly beta2?: number
      readonly epsilon?: number
      readonly weightDecay?: number
    }

/** The optimizer's own vectors, each float32 [P], beside the parameters. */
export function momentNames({ kind }: Optimizer): readonly ("m" | "v")[] {
  return kind === "sgd" ? ["m"] : ["m", "v"]
}

export type Moments = Readonly<Record<string, Value>>

/** One update of flat vectors; `cursor` is the number of steps before this one, int64 [1], `rate` float32 [1]. */
export function update(
  o: Ops,
  optimizer: Optimizer,
  { p, g, moments, rate, cursor }: UpdateOperands,
): { readonly p: Value; readonly moments: Moments } {
  o.builder.label(optimizer.kind)
  const times = (x: Value, factor: number) => o.mul(x, o.scalar(factor))
  if (optimizer.kind === "sgd") {
    const m = o.add(times(moments.m!, optimizer.momentum ?? 0), g)
    return { p: o.sub(p, o.mul(m, rate)), moments: { m } }
  }
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = optimizer
  const m = o.add(times(moments.m!, beta1), times(g, 1 - beta1))
  const v = o.add(times(moments.v!, beta2), times(o.mul(g, g), 1 - beta2))
  const step = o.cast(o.add(cursor, o.number("int64", 1)), "float32")
  // 1 - beta^t, the share of a moment that is not its first value, 0.
  const filled = (beta: number) => o.sub(o.scalar(1), o.exp(times(step, Math.log(beta))))
  const deviation = o.add(o.sqrt(o.div(v, filled(beta2))), o.scalar(epsilon))
  const move = o.div(o.mul(m, o.div(rate, filled(beta1))), deviation)
  const kept = weightDecay === 0 ? p : o.mul(p, o.sub(o.scalar(1), times(rate, weightDecay)))
  return { p: o.sub(kept, move), moments: { m, v } }
}

export type UpdateOperands = {
  readonly p: Value
  readonly g: Value
  readonly moments: Moments
  readonly rate: Value
  readonly cursor: Value
}

/** Terms that one row adds up: several short sums are more accurate than a long one. */
const ROW = 1024

/** The gradient, no longer than `norm` in the Euclidean norm over all parameters. */
export function clipped(o: Ops, g: Value, norm: number): Value {
  o.builder.label("clip")
  const squares = o.mul(g, g)
  const count = squares.dims[0]!
  const whole = count - (count % ROW)
  const sums = [
    ...(whole > 0 ? [o.sumLast(o.reshape(o.range(squares, 0, 0, whole), [whole / ROW, ROW]))] : []),
    ...(whole < count ? [o.sumLast(o.reshape(o.range(squares, 0, whole, count), [1, count - whole]))] : []),
  ]
  const rows = o.concat(sums, 0)
  const length = o.sqrt(o.reshape(o.sumLast(o.reshape(rows, [1, rows.dims[0]!])), [1]))
  return o.mul(g, o.div(o.scalar(norm), o.atLeast(length, o.scalar(norm))))
}
