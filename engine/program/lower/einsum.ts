import { einsumLabels, einsumSizes } from "../../onnx/einsumLabels.ts"
import type { Value } from "../builder.ts"
import { int64s } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { input, type Lower, product, refuse, text } from "./lowering.ts"

/** A tensor whose dims have names, each at most once. */
type Term = { readonly value: Value; readonly labels: readonly string[] }

/** Products and sums by the names of dims: two operands at a time, from the left, each pair as one MatMul or Mul. */
export const Einsum: Lower = (l) => {
  const { o, node } = l
  const operands = node.inputs.map((_, i) => input(l, i))
  if (operands.some(({ dtype }) => dtype !== "float32")) refuse("it multiplies integers", "cast to float32 first")
  const equation = text(l, "equation", "")
  const shapes = operands.map(({ dims }) => dims)
  const labels =
    einsumLabels(
      equation,
      shapes.map(({ length }) => length),
    ) ?? refuse(`its equation "${equation}" does not fit its operands`, "export the model again")
  const { given, wanted } = labels
  const sizes = einsumSizes(labels, shapes)
  const terms = operands.map((value, i) => broadcastless(o, diagonal(o, { value, labels: given[i]! }), sizes))
  const [first, ...rest] = terms
  const all = rest.reduce((left, right, i) => {
    const needed = new Set([...wanted, ...rest.slice(i + 1).flatMap(({ labels }) => labels)])
    return multiply(o, left, right, needed)
  }, first!)
  const summed = sumOut(o, all, (label) => wanted.includes(label))
  return [arrange(o, summed, wanted)]
}

/** A name that stands twice means the elements whose places along both are the same. */
function diagonal(o: Ops, { value, labels }: Term): Term {
  const twice = labels.findIndex((label, i) => labels.indexOf(label) !== i)
  if (twice < 0) return { value, labels }
  const first = labels.indexOf(labels[twice]!)
  const others = [...labels.keys()].filter((i) => i !== first && i !== twice)
  const n = value.dims[first]!
  const moved = o.transpose(value, [...others, first, twice])
  const kept = others.map((i) => value.dims[i]!)
  const places = Array.from({ length: n }, (_, i) => i * (n + 1))
  const picked = o.gather(o.reshape(moved, [...kept, n * n]), o.constant(int64s(places)), kept.length)
  return diagonal(o, { value: picked, labels: [...others.map((i) => labels[i]!), labels[first]!] })
}

/** Without dims of 1 that others make longer: there the operand is the same all along. */
function broadcastless(o: Ops, { value, labels }: Term, sizes: ReadonlyMap<string, number>): Term {
  const kept = [...labels.keys()].filter((i) => value.dims[i] === sizes.get(labels[i]!))
  const dims = kept.map((i) => value.dims[i]!)
  return { value: o.reshape(value, dims), labels: kept.map((i) => labels[i]!) }
}

function sumOut(o: Ops, { value, labels }: Term, isNeeded: (label: string) => boolean): Term {
  const [kept, gone] = [labels.filter(isNeeded), labels.filter((label) => !isNeeded(label))]
  if (gone.length === 0) return { value, labels }
  const moved = arrange(o, { value, labels }, [...kept, ...gone])
  const dims = moved.dims.slice(0, kept.length)
  const rows = o.reshape(moved, [...dims, product(moved.dims) / product(dims)])
  return { value: o.reshape(o.sumLast(rows), dims), labels: kept }
}

function multiply(o: Ops, a: Term, b: Term, needed: ReadonlySet<string>): Term {
  // What only one of them has and nobody asks for is summed before.
  const left = sumOut(o, a, (label) => needed.has(label) || b.labels.includes(label))
  const right = sumOut(o, b, (label) => needed.has(label) || a.labels.includes(label))
  const both = left.labels.filter((label) => right.labels.includes(label))
  const [batch, summed] = [both.filter((label) => needed.has(label)), both.filter((label) => !needed.has(label))]
  const [rows, columns] = [left, right].map(({ labels }) => labels.filter((label) => !both.includes(label))) as [
    string[],
    string[],
  ]
  const x = arrange(o, left, [...batch, ...rows, ...summed])
  const y = arrange(o, right, [...batch, ...summed, ...columns])
  const kept = x.dims.slice(0, batch.length)
  const m = x.dims.slice(batch.length, batch.length + rows.length)
  const n = y.dims.slice(batch.length + summed.length)
  const k = product(y.dims.slice(batch.length, batch.length + summed.length))
  const labels = [...batch, ...rows, ...columns]
  const value =
    summed.length === 0
      ? o.mul(o.reshape(x, [...kept, ...m, ...n.map(() => 1)]), o.reshape(y, [...kept, ...m.map(() => 1), ...n]))
      : o.matMul(o.reshape(x, [...kept, product(m), k]), o.reshape(y, [...kept, k, product(n)]))
  return { value: o.reshape(value, [...kept, ...m, ...n]), labels }
}

/** The dims in this order; names that it lacks are of an operand that was the same all along, and do not come here. */
function arrange(o: Ops, { value, labels }: Term, order: readonly string[]): Value {
  if (order.some((label) => !labels.includes(label)))
    return refuse("its result names a dim that no operand has", "export the model again")
  return o.transpose(
    value,
    order.map((label) => labels.indexOf(label)),
  )
}
