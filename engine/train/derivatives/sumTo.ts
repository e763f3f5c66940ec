import { elementCount } from "#protocol"
import type { Value } from "../../program/builder.ts"
import type { Ops } from "../../program/ops.ts"
import { sameDims } from "../../program/values.ts"

/** The transpose of broadcasting: the sum over every axis along which a value of shape `dims` was repeated. */
export function sumTo(o: Ops, x: Value, dims: readonly number[]): Value {
  if (sameDims(x.dims, dims)) return x
  const rank = Math.max(x.dims.length, dims.length)
  const own = [...new Array<number>(rank - x.dims.length).fill(1), ...x.dims]
  const wanted = [...new Array<number>(rank - dims.length).fill(1), ...dims]
  const summed = [...own.keys()].filter((axis) => wanted[axis] === 1 && own[axis]! > 1)
  const kept = [...own.keys()].filter((axis) => !summed.includes(axis) && own[axis]! > 1)
  if (summed.length === 0) return o.reshape(x, dims)
  const [rows, terms] = [kept, summed].map((axes) => elementCount(axes.map((axis) => own[axis]!))) as [number, number]
  // Where the sum is over the rows of a matrix, that matrix is what a product next to it reads, transposed, too.
  const leading = kept.every((axis) => axis > Math.max(...summed))
  const matrix = leading
    ? o.transpose(o.reshape(x, [terms, rows]), [1, 0])
    : o.reshape(o.transpose(o.reshape(x, own), [...kept, ...without(own, summed, kept), ...summed]), [rows, terms])
  return o.reshape(o.sumLast(matrix), dims)
}

/** Axes of size 1, which are neither kept nor summed. */
function without(dims: readonly number[], ...lists: readonly (readonly number[])[]): number[] {
  return [...dims.keys()].filter((axis) => !lists.some((list) => list.includes(axis)))
}
