import { engineError } from "../errors.ts"
import type { Value } from "../program/builder.ts"
import type { Ops } from "../program/ops.ts"
import { NotPrimitive } from "../program/primitive.ts"
import type { Contribution } from "./derivatives/derivative.ts"
import { DERIVATIVES } from "./derivatives/index.ts"
import { padded } from "./derivatives/views.ts"

/** A value, and the gradient of the loss by it: where differentiation starts. Of one shape. */
export type Seed = { readonly value: Value; readonly gradient: Value }

/**
 * Reverse-mode differentiation: the gradient of the loss by each of `leaves`, as primitives of the same builder, of the
 * leaf's shape; undefined where the loss does not depend on it. Nothing is looked at behind a leaf.
 * Throws E_TRAIN_NO_DERIVATIVE, naming the node, where a gradient meets a primitive that has none.
 *
 * Values are numbered in the order in which they were made, so that descending order is a reverse topological one.
 */
export function differentiate(o: Ops, seeds: readonly Seed[], leaves: readonly Value[]): (Value | undefined)[] {
  const active = dependents(
    seeds.map(({ value }) => value),
    leaves,
  )
  const received = new Map<Value, Contribution[]>()
  const give = (contribution: Contribution) => {
    if (!active.has(contribution.to)) return
    const list = received.get(contribution.to)
    if (list) list.push(contribution)
    else received.set(contribution.to, [contribution])
  }
  for (const { value, gradient } of seeds) give({ to: value, of: () => gradient })

  const ends = new Set(leaves)
  const backward = [...active].sort((a, b) => b.id - a.id)
  for (const value of backward) {
    const given = received.get(value)
    if (!given || ends.has(value)) continue
    const { node } = value
    const derivative = DERIVATIVES[node!.op]
    if (!derivative) throw noDerivative(value, `${node!.op} has no derivative`)
    o.builder.label(`d ${node!.label}`)
    try {
      for (const contribution of derivative({ o, node: node!, value, gradient: total(o, value, given) }))
        if (active.has(contribution.to)) give(settled(contribution))
    } catch (cause) {
      if (!(cause instanceof NotPrimitive)) throw cause
      throw noDerivative(value, cause.message, cause)
    }
  }
  return leaves.map((leaf) => {
    const given = received.get(leaf)
    return given && total(o, leaf, given)
  })
}

/** Asked for once, at its own node, so that it bears that node's label. */
function settled({ to, of, cut }: Contribution): Contribution {
  const value = of()
  return cut ? { to, of: () => value, cut } : { to, of: () => value }
}

/** The float values between the seeds and the leaves, leaves included. */
function dependents(roots: readonly Value[], leaves: readonly Value[]): Set<Value> {
  const ends = new Set(leaves)
  const reached = new Set<Value>()
  const stack = [...roots]
  for (let value = stack.pop(); value; value = stack.pop()) {
    if (reached.has(value)) continue
    reached.add(value)
    if (!ends.has(value)) stack.push(...(value.node?.inputs ?? []))
  }
  const active = new Set<Value>()
  for (const value of [...reached].sort((a, b) => a.id - b.id)) {
    const depends = ends.has(value) || value.node?.inputs.some((input) => active.has(input))
    if (depends && value.dtype === "float32") active.add(value)
    // Bytes carry no gradient: a float that is rounded to them was meant to be trained through.
    else if (depends && value.node?.op === "QuantizeLinear")
      throw noDerivative(value, "what is quantized has no derivative")
  }
  return active
}

/** The sum of what a value received, of its shape. */
function total(o: Ops, value: Value, given: readonly Contribution[]): Value {
  const sum = joined(o, value, given) ?? given.map((part) => whole(o, value, part)).reduce((a, b) => o.add(a, b))
  return o.expand(sum, value.dims)
}

/** Parts of one axis that do not overlap, put side by side with zeros between. */
function joined(o: Ops, value: Value, given: readonly Contribution[]): Value | undefined {
  const axis = given[0]!.cut?.axis
  if (axis === undefined || given.length === 1 || given.some(({ cut }) => cut?.axis !== axis)) return undefined
  const sorted = given.map((part) => ({ ...part, cut: part.cut! })).sort((a, b) => a.cut.start - b.cut.start)
  if (sorted.some(({ cut }, i) => i > 0 && cut.start < sorted[i - 1]!.cut.end)) return undefined
  const gap = (size: number) =>
    size > 0
      ? [
          o.filled(
            0,
            value.dims.map((dim, i) => (i === axis ? size : dim)),
          ),
        ]
      : []
  const end = sorted.at(-1)!.cut.end
  const parts = sorted.flatMap(({ of, cut }, i) => [
    ...gap(cut.start - (i > 0 ? sorted[i - 1]!.cut.end : 0)),
    o.expand(
      of(),
      value.dims.map((dim, d) => (d === axis ? cut.end - cut.start : dim)),
    ),
  ])
  return o.concat([...parts, ...gap(value.dims[axis]! - end)], axis)
}

function whole(o: Ops, value: Value, { of, cut }: Contribution): Value {
  if (!cut) return of()
  return padded(o, of(), cut.axis, cut.start, value.dims[cut.axis]! - cut.end)
}

function noDerivative(value: Value, why: string, cause?: unknown) {
  const { label, op } = value.node!
  return engineError(
    "E_TRAIN_NO_DERIVATIVE",
    `the loss cannot be differentiated through node ${label} (${op}): ${why}`,
    {
      remedy:
        "leave what lies behind that node out of the parameters, or replace it by operators that have a derivative",
      node: label,
      op,
      cause,
    },
  )
}
