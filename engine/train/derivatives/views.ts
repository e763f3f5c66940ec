import { elementCount } from "#protocol"
import type { Value } from "../../program/builder.ts"
import { int64s, numbersOf } from "../../program/elements.ts"
import type { Ops } from "../../program/ops.ts"
import { type Contribution, type Derivative, pair } from "./derivative.ts"
import { sumTo } from "./sumTo.ts"

/** Primitives that move elements: the gradient of each goes back to where it came from. */
export const views: Readonly<Record<string, Derivative>> = {
  Identity: ({ node, gradient }) => [{ to: pair(node)[0], of: () => gradient }],
  Reshape: ({ o, node, gradient }) => {
    const [x] = pair(node)
    return [{ to: x, of: () => o.reshape(gradient, x.dims) }]
  },
  Transpose: ({ o, node, gradient }) => {
    const [x] = pair(node)
    const perm = node.attributes.perm as readonly number[]
    const inverse = perm.map((_, axis) => perm.indexOf(axis))
    return [{ to: x, of: () => o.transpose(gradient, inverse) }]
  },
  Expand: ({ o, node, gradient }) => {
    const [x] = pair(node)
    return [{ to: x, of: () => sumTo(o, gradient, x.dims) }]
  },
  Slice: ({ o, node, gradient, value }) => {
    const [x, ...lists] = node.inputs as [Value, Value, Value, Value, Value]
    const [starts, , axes, steps] = lists.map((list) => numbersOf(list.constant!)) as [
      number[],
      number[],
      number[],
      number[],
    ]
    const [first, ...others] = axes
    if (others.length === 0 && steps[0] === 1) {
      const start = starts[0]!
      return [{ to: x, of: () => gradient, cut: { axis: first!, start, end: start + value.dims[first!]! } }]
    }
    const back = () =>
      axes.reduce((spread, axis, i) => placed(o, spread, axis, x.dims[axis]!, starts[i]!, steps[i]!), gradient)
    return [{ to: x, of: back }]
  },
  Pad: ({ o, node, gradient }) => {
    const [x, amounts] = pair(node)
    const begins = numbersOf(amounts.constant!)
    const cuts = x.dims.map((size, axis) => ({ axis, start: begins[axis]!, end: begins[axis]! + size }))
    const real = cuts.filter(({ axis, start, end }) => start > 0 || end < gradient.dims[axis]!)
    return [{ to: x, of: () => o.slice(gradient, real) }]
  },
  Concat: ({ o, node, gradient }) => {
    const axis = node.attributes.axis as number
    let at = 0
    return node.inputs.map((to): Contribution => {
      const start = at
      at += to.dims[axis]!
      const end = at
      return { to, of: () => o.range(gradient, axis, start, end) }
    })
  },
  Gather: ({ o, node, gradient }) => {
    const [x, indices] = pair(node)
    return [{ to: x, of: () => scattered(o, gradient, x, indices, node.attributes.axis as number) }]
  },
}

/**
 * The transpose of a slice of one axis: element i of the gradient at place start + i step, 0 elsewhere.
 * A negative step counts down.
 */
export function placed(o: Ops, gradient: Value, axis: number, size: number, start: number, step: number): Value {
  const count = gradient.dims[axis]!
  const apart = Math.abs(step)
  const upward = step > 0 ? gradient : o.slice(gradient, [{ axis, start: count - 1, end: -count - 1, step: -1 }])
  const first = step > 0 ? start : start + (count - 1) * step
  const spread = dilated(o, upward, axis, apart)
  return padded(o, spread, axis, first, size - first - spread.dims[axis]!)
}

/** Zeros between the elements of an axis: (count - 1) step + 1 long. */
export function dilated(o: Ops, x: Value, axis: number, step: number): Value {
  const count = x.dims[axis]!
  if (step === 1 || count === 1) return x
  const apart = o.reshape(x, [...x.dims.slice(0, axis + 1), 1, ...x.dims.slice(axis + 1)])
  const wide = padded(o, apart, axis + 1, 0, step - 1)
  const flat = o.reshape(
    wide,
    x.dims.map((dim, i) => (i === axis ? dim * step : dim)),
  )
  return o.range(flat, axis, 0, (count - 1) * step + 1)
}

export function padded(o: Ops, x: Value, axis: number, before: number, after: number): Value {
  const at = (amount: number) => x.dims.map((_, i) => (i === axis ? amount : 0))
  return o.pad(x, at(before), at(after), o.scalar(0))
}

/**
 * The sum of the gradients of every place that was looked up, as a product with a one-hot matrix: a chain adds its terms
 * in order, and that order does not depend on which indices are equal.
 */
function scattered(o: Ops, gradient: Value, x: Value, indices: Value, axis: number): Value {
  const size = x.dims[axis]!
  const [outer, inner] = [x.dims.slice(0, axis), x.dims.slice(axis + 1)]
  const [before, count, after] = [outer, indices.dims, inner].map(elementCount) as [number, number, number]
  const flat = o.reshape(indices, [1, count])
  const zero = o.number(indices.dtype, 0)
  const wrapped =
    indices.facts.low >= 0
      ? flat
      : o.where(o.compare("Less", flat, zero), o.add(flat, o.number(indices.dtype, size)), flat)
  const places = o.cast(o.constant(int64s([...new Array(size).keys()], [size, 1])), indices.dtype)
  const chosen = o.cast(o.compare("Equal", wrapped, places), "float32") // (size, count)
  const rows = o.reshape(gradient, [before, count, after])
  const sums =
    before === 1
      ? o.matMul(chosen, o.reshape(rows, [count, after]))
      : o.matMul(o.expand(o.reshape(chosen, [1, size, count]), [before, size, count]), rows)
  return o.reshape(sums, x.dims)
}
