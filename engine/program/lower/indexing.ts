import { elementCount } from "#protocol"
import type { Value } from "../builder.ts"
import { FLOAT_MAX, int64s, numbersOf, tensorOf } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { extreme } from "./elementwise.ts"
import { axisOf, constantNumber, input, int, type Lower, type Lowering, product, refuse, text } from "./lowering.ts"

/** Operators that look elements up by index, put others in their place, or find the greatest. */

export const indexing: Readonly<Record<string, Lower>> = {
  Gather: (l) => {
    const x = input(l, 0)
    return [l.o.gather(x, input(l, 1), axisOf(int(l, "axis", 0), x.dims.length))]
  },
  GatherElements: (l) => {
    const x = input(l, 0)
    const axis = axisOf(int(l, "axis", 0), x.dims.length)
    return [l.o.gather(flat(l.o, x), elementPlaces(l.o, x.dims, axis, input(l, 1)), 0)]
  },
  GatherND: (l) => {
    const { o } = l
    const [x, indices] = [input(l, 0), input(l, 1)]
    const from = int(l, "batch_dims", 0)
    const to = from + indices.dims.at(-1)!
    const [batch, indexed, rest] = [x.dims.slice(0, from), x.dims.slice(from, to), x.dims.slice(to)]
    const within = tuplePlaces(o, indexed, indices)
    const ones = indices.dims.slice(from, -1).map(() => 1)
    const begins = Array.from({ length: product(batch) }, (_, i) => i * product(indexed))
    const places = from === 0 ? within : o.add(within, o.constant(int64s(begins, [...batch, ...ones])))
    return [o.gather(o.reshape(x, [product(batch) * product(indexed), ...rest]), places, 0)]
  },
  ScatterND: (l) => {
    const { o } = l
    const [x, indices, updates] = [input(l, 0), input(l, 1), input(l, 2)]
    const indexed = x.dims.slice(0, indices.dims.at(-1)!)
    const places = tuplePlaces(o, indexed, indices)
    const width = product(x.dims.slice(indexed.length))
    const rows = o.reshape(x, [product(indexed), width])
    return [o.reshape(scattered(l, rows, flat(o, places), o.reshape(updates, [product(places.dims), width])), x.dims)]
  },
  ScatterElements: scatterElements,
  /** What ScatterElements was called up to opset 10. */
  Scatter: scatterElements,
  TopK: topK,
}

const flat = (o: Ops, x: Value): Value => o.reshape(x, [product(x.dims)])

/** A negative index counts from the end. */
function fromStart(o: Ops, index: Value, size: number): Value {
  const at = o.cast(index, "int64")
  return o.where(o.compare("Less", at, o.number("int64", 0)), o.add(at, o.number("int64", size)), at)
}

const times = (o: Ops, x: Value, factor: number): Value => (factor === 1 ? x : o.mul(x, o.number("int64", factor)))

/** The place of each tuple of indices (..., k) in a row-major tensor of k dims. */
function tuplePlaces(o: Ops, dims: readonly number[], indices: Value): Value {
  const last = indices.dims.length - 1
  const parts = dims.map((size, i) => {
    const index = o.reshape(o.range(indices, last, i, i + 1), indices.dims.slice(0, -1))
    return times(o, fromStart(o, index, size), product(dims.slice(i + 1)))
  })
  return parts.reduce((sum, part) => o.add(sum, part))
}

/** The place in the flattened tensor of what each index means that stands for one axis, the other axes being its own. */
function elementPlaces(o: Ops, dims: readonly number[], axis: number, indices: Value): Value {
  const strides = dims.map((_, d) => product(dims.slice(d + 1)))
  const own = Array.from({ length: elementCount(indices.dims) }, (_, e) => {
    let [rest, place] = [e, 0]
    for (let d = dims.length - 1; d >= 0; d--) {
      if (d !== axis) place += (rest % indices.dims[d]!) * strides[d]!
      rest = Math.floor(rest / indices.dims[d]!)
    }
    return place
  })
  return o.add(times(o, fromStart(o, indices, dims[axis]!), strides[axis]!), o.constant(int64s(own, indices.dims)))
}

function scatterElements(l: Lowering): readonly Value[] {
  const { o } = l
  const [x, indices, updates] = [input(l, 0), input(l, 1), input(l, 2)]
  const places = elementPlaces(o, x.dims, axisOf(int(l, "axis", 0), x.dims.length), indices)
  const rows = o.reshape(x, [product(x.dims), 1])
  return [o.reshape(scattered(l, rows, flat(o, places), o.reshape(updates, [product(updates.dims), 1])), x.dims)]
}

/** Each place of rows [R, W] asks all [U] updates whether they are for it: as many comparisons. */
const MOST_ASKED = 2 ** 22

/** Rows [R, W] with updates [U, W] in their places [U]; of several for one place the last stands. */
function scattered(l: Lowering, rows: Value, places: Value, updates: Value): Value {
  const { o } = l
  const [count, all] = [rows.dims[0]!, updates.dims[0]!]
  const fixed = places.constant && numbersOf(places.constant)
  if (fixed?.some((place) => place < 0 || place >= count)) refuse("an index is out of range", "export the model again")
  const reduced = reduce(l, rows, places, updates, fixed)
  const both = o.concat([rows, reduced], 0)
  if (fixed) {
    const sources = Array.from({ length: count }, (_, i) => i)
    for (const [i, place] of fixed.entries()) sources[place] = count + i
    return o.gather(both, o.constant(int64s(sources)), 0)
  }
  if (count * all > MOST_ASKED)
    refuse(
      `its indices are computed, and ${all} updates for ${count} places are too many to look through`,
      "export it with constant indices, or update fewer places",
    )
  const whole = (values: readonly number[], dims: readonly number[]) =>
    o.constant(tensorOf("int32", dims, Int32Array.from(values)))
  const row = Array.from({ length: count }, (_, i) => i)
  const isFor = o.compare("Equal", o.reshape(places, [1, all]), o.constant(int64s(row, [count, 1])))
  // The greatest of its own numbers, which count from 1, is the last of those for a place; 0 stands for none.
  const numbers = whole(
    [...new Array(all).keys()].map((i) => i + 1),
    [1, all],
  )
  const asked = o.where(isFor, numbers, o.number("int32", -1))
  const last = o.chooseLast("ArgMax", o.concat([whole(new Array(count).fill(0), [count, 1]), asked], 1), 0)
  const none = o.compare("Equal", last, o.number("int64", 0))
  return o.gather(both, o.where(none, o.constant(int64s(row)), o.add(last, o.number("int64", count - 1))), 0)
}

/** Updates put together with what is in their places; in which order equal places would be met nobody says. */
function reduce(l: Lowering, rows: Value, places: Value, updates: Value, fixed: readonly number[] | undefined): Value {
  const { o } = l
  const kind = text(l, "reduction", "none")
  if (kind === "none") return updates
  if (!fixed || new Set(fixed).size < fixed.length)
    refuse(`it puts updates together by "${kind}" in places that may be the same`, "export it with constant indices")
  const before = o.gather(rows, places, 0)
  if (kind === "add") return o.add(before, updates)
  if (kind === "mul") return o.mul(before, updates)
  if (rows.dtype !== "float32") return refuse(`it takes the ${kind} of ${rows.dtype}`, "cast to float32 first")
  return extreme(o, kind === "max" ? "Greater" : "Less", before, updates)
}

const MOST_TAKEN = 256

/** One after the other: the greatest, which is then taken out. Of equals the first comes first; NaN comes last. */
function topK(l: Lowering): readonly Value[] {
  const { o } = l
  const x = input(l, 0)
  if (x.dtype !== "float32") refuse(`it takes the first of ${x.dtype}`, "cast to float32 first")
  const axis = axisOf(int(l, "axis", -1), x.dims.length)
  const k = l.inputs[1] ? constantNumber(l.inputs[1], "k") : int(l, "k", 1)
  if (k > MOST_TAKEN) refuse(`it takes ${k} elements`, `take at most ${MOST_TAKEN}`)
  const last = o.axisLast(x, axis)
  const n = last.dims.at(-1)!
  const rows = product(last.dims) / n
  const values = o.reshape(last, [rows, n])
  const largest = int(l, "largest", 1) === 1
  const places = o.constant(int64s([...new Array(n).keys()]))
  const out = o.scalar(largest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY)
  let left = largest ? o.atLeast(values, o.scalar(-FLOAT_MAX)) : o.atMost(values, o.scalar(FLOAT_MAX))
  const taken: Value[] = []
  for (let i = 0; i < k; i++) {
    if (i > 0) left = o.where(o.compare("Equal", places, taken[i - 1]!), out, left)
    taken.push(o.chooseLast(largest ? "ArgMax" : "ArgMin", left, 1))
  }
  const indices = o.concat(taken, 1)
  const begins = o.constant(
    int64s(
      [...new Array(rows).keys()].map((row) => row * n),
      [rows, 1],
    ),
  )
  const back = (found: Value) => o.axisBack(o.reshape(found, [...last.dims.slice(0, -1), k]), axis)
  return [back(o.gather(flat(o, values), o.add(indices, begins), 0)), back(indices)]
}
