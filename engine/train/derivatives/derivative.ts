import type { BuiltNode, Value } from "../../program/builder.ts"
import type { Ops } from "../../program/ops.ts"

/** A primitive in the graph, and the gradient of the loss by what it puts out (of the same shape). */
export type Differential = {
  readonly o: Ops
  readonly node: BuiltNode
  readonly value: Value
  readonly gradient: Value
}

/**
 * What flows back to one value. It is asked for only where something to be learned lies behind it.
 * - `of`: the gradient, of a shape that broadcasts to the value's.
 * - `cut`: it is the gradient of this part of one axis; elsewhere it is 0. Parts are joined once, not padded one by one.
 */
export type Contribution = {
  readonly to: Value
  readonly of: () => Value
  readonly cut?: { readonly axis: number; readonly start: number; readonly end: number }
}

/** The vector-Jacobian product of one primitive. */
export type Derivative = (differential: Differential) => readonly Contribution[]

/** The operands of a primitive of two. */
export function pair({ inputs }: BuiltNode): readonly [Value, Value] {
  return inputs as unknown as readonly [Value, Value]
}
