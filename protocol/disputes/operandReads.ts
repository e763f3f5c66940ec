import { CodedError } from "../errors/codedError.ts"
import { PRIMITIVES, type PrimitiveCode } from "../programs/primitives.ts"
import type { Operation } from "../programs/types.ts"

/** Consecutive elements of an operand. */
export type Run = { readonly start: number; readonly length: number }

export type OperandReadsErrorDetail = { code: "E_OPERATION_UNKNOWN"; operation: number; message: string }
export class OperandReadsError extends CodedError<OperandReadsErrorDetail> {}

export type OperandReadsParams = {
  readonly operation: Operation
  /** Of the output, row-major. */
  readonly element: number
  /** What an operand holds: where GATHER reads depends on its indices. */
  readonly valueAt: (operand: number, element: number) => number
  /** Only these terms of a chain; all where left out. */
  readonly terms?: { readonly from: number; readonly upTo: number }
}

/**
 * Which elements of each operand decide one element of the result: what has to be opened for the referee. One list of
 * runs an operand, empty where nothing of it is read.
 */
export function operandReads(params: OperandReadsParams): Run[][] {
  const { operation, element } = params
  const dims = operation.output.dims.map(Number)
  const index = unravel(dims, element)
  const shapes = operation.inputs.map((operand) => operand.dims.map(Number))
  const attributes = operation.attributes.map(Number)
  const read = READS[operation.code as PrimitiveCode]
  if (!read) {
    const message = `${operation.code} is no primitive`
    throw new OperandReadsError({ code: "E_OPERATION_UNKNOWN", operation: operation.code, message })
  }
  return read({ ...params, dims, index, shapes, attributes })
}

/** The length of a chain of products, or 0 for operations that have none. */
export function chainLength({ code, inputs }: Operation): number {
  const dims = inputs[1]?.dims.map(Number) ?? []
  if (code === PRIMITIVES.MATMUL) return dims.at(-1)!
  if (code === PRIMITIVES.CONV) return product(dims.slice(1))
  return 0
}

type Job = OperandReadsParams & {
  readonly dims: readonly number[]
  readonly index: readonly number[]
  readonly shapes: readonly (readonly number[])[]
  readonly attributes: readonly number[]
}

type Reader = (job: Job) => Run[][]

const elementwise: Reader = ({ shapes, index }) => shapes.map((shape) => [one(broadcast(shape, index))])

const view: Reader = ({ attributes: [offset, ...strides], index }) => [
  [one(index.reduce((at, i, d) => at + i * strides[d]!, offset!))],
]

const pad: Reader = ({ attributes: begins, index, shapes: [shape] }) => {
  const inner = index.map((i, d) => i - begins[d]!)
  const inside = inner.every((i, d) => i >= 0 && i < shape![d]!)
  return inside ? [[one(ravel(shape!, inner))], []] : [[], [one(0)]]
}

const concat: Reader = ({ attributes, index, shapes }) => {
  const axis = attributes[0]!
  let at = index[axis]!
  const part = shapes.findIndex((shape) => {
    if (at < shape[axis]!) return true
    at -= shape[axis]!
    return false
  })
  const own = index.map((i, d) => (d === axis ? at : i))
  return shapes.map((shape, operand) => (operand === part ? [one(ravel(shape, own))] : []))
}

const gather: Reader = ({ attributes, index, shapes, valueAt }) => {
  const axis = attributes[0]!
  const [shape, indices] = [shapes[0]!, shapes[1]!]
  const place = ravel(indices, index.slice(axis, axis + indices.length))
  let found = valueAt(1, place)
  if (found < 0) found += shape[axis]!
  // Out of range: no value is right, and nothing else is read.
  if (found < 0 || found >= shape[axis]!) return [[], [one(place)]]
  const own = shape.map((_, d) => {
    if (d === axis) return found
    return index[d < axis ? d : d + indices.length - 1]!
  })
  return [[one(ravel(shape, own))], [one(place)]]
}

const reduce: Reader = ({ element, shapes: [shape] }) => {
  const length = shape!.at(-1)!
  return [[{ start: element * length, length }]]
}

const poolMax: Reader = ({ attributes: [height, width, ...rest], index, shapes: [shape] }) => {
  const plane = (index[0]! * shape![1]! + index[1]!) * shape![2]! * shape![3]!
  const kernel = { height: height!, width: width! }
  return [windowRuns({ shape: shape!, index, kernel, place: rest, plane, from: 0, upTo: height! * width! })]
}

const matmul: Reader = (job) => {
  const { dims, element, shapes } = job
  const [a, b] = [shapes[0]!, shapes[1]!]
  const [m, n, k] = [dims.at(-2)!, dims.at(-1)!, a.at(-1)!]
  const batch = job.index.slice(0, -2)
  const { from, upTo } = job.terms ?? { from: 0, upTo: k }
  const rowOf = (shape: readonly number[], rows: number, row: number): Run => ({
    start: (broadcast(shape.slice(0, -2), batch) * rows + row) * k + from,
    length: upTo - from,
  })
  return [[rowOf(a, m, Math.floor(element / n) % m)], [rowOf(b, n, element % n)]]
}

/** `from`: where the attributes [group, stride h, w, pad top, left, dilation h, w] begin. */
const convolution =
  (from: number): Reader =>
  ({ attributes, index, shapes, terms }) => {
    const [shape, filters] = [shapes[0]!, shapes[1]!]
    const [group, ...place] = attributes.slice(from)
    const [channels, height, width] = [filters[1]!, filters[2]!, filters[3]!]
    const length = channels * height * width
    const part = terms ?? { from: 0, upTo: length }
    const firstChannel = Math.floor(index[1]! / (filters[0]! / group!)) * channels
    const plane = (index[0]! * shape[1]! + firstChannel) * shape[2]! * shape[3]!
    const weights = { start: index[1]! * length + part.from, length: part.upTo - part.from }
    return [windowRuns({ shape, index, kernel: { height, width }, place, plane, ...part }), [weights]]
  }

const ELEMENTWISE = [
  ...(["ADD", "SUB", "MUL", "DIV", "NEG", "ABS", "SQRT", "FLOOR", "CEIL", "ROUND", "EXP", "TANH", "SIGMOID"] as const),
  ...(["ERF", "LESS", "GREATER", "EQUAL", "LESS_OR_EQUAL", "GREATER_OR_EQUAL", "AND", "OR", "NOT", "XOR"] as const),
  ...(["WHERE", "CAST", "MIN", "MAX", "RELU", "QUANTIZE"] as const),
]

const READS: Readonly<Partial<Record<PrimitiveCode, Reader>>> = {
  ...Object.fromEntries(ELEMENTWISE.map((name) => [PRIMITIVES[name], elementwise])),
  [PRIMITIVES.VIEW]: view,
  [PRIMITIVES.PAD]: pad,
  [PRIMITIVES.CONCAT]: concat,
  [PRIMITIVES.GATHER]: gather,
  [PRIMITIVES.REDUCE_MAX]: reduce,
  [PRIMITIVES.REDUCE_MIN]: reduce,
  [PRIMITIVES.ARG_MAX]: reduce,
  [PRIMITIVES.ARG_MIN]: reduce,
  [PRIMITIVES.POOL_MAX]: poolMax,
  [PRIMITIVES.MATMUL]: matmul,
  [PRIMITIVES.MATMUL_INTEGER]: matmul,
  [PRIMITIVES.CONV]: convolution(1),
  [PRIMITIVES.CONV_INTEGER]: convolution(2),
}

type WindowParams = {
  readonly shape: readonly number[]
  readonly index: readonly number[]
  readonly kernel: { readonly height: number; readonly width: number }
  /** [stride h, w, pad top, left, dilation h, w] */
  readonly place: readonly number[]
  /** Where the first channel's plane begins. */
  readonly plane: number
  /** Cells, counted through the channels. */
  readonly from: number
  readonly upTo: number
}

/** Neighbours in a row of a window that is not dilated are one run. Pads are not read. */
function windowRuns({ shape, index, kernel, place, plane, from, upTo }: WindowParams): Run[] {
  const [strideH, strideW, top, left, dilationH, dilationW] = place as [number, number, number, number, number, number]
  const [height, width] = [shape[2]!, shape[3]!]
  const cells = kernel.height * kernel.width
  const runs: { start: number; length: number }[] = []
  for (let k = from; k < upTo; k++) {
    const cell = k % cells
    const y = index[2]! * strideH - top + Math.floor(cell / kernel.width) * dilationH
    const x = index[3]! * strideW - left + (cell % kernel.width) * dilationW
    if (y < 0 || x < 0 || y >= height || x >= width) continue
    const at = plane + Math.floor(k / cells) * height * width + y * width + x
    const last = runs.at(-1)
    if (last && last.start + last.length === at) last.length++
    else runs.push({ start: at, length: 1 })
  }
  return runs
}

function one(element: number): Run {
  return { start: element, length: 1 }
}

function product(dims: readonly number[]): number {
  return dims.reduce((all, dim) => all * dim, 1)
}

function unravel(dims: readonly number[], element: number): number[] {
  let rest = element
  return dims
    .toReversed()
    .map((dim) => {
      const at = rest % dim
      rest = Math.floor(rest / dim)
      return at
    })
    .toReversed()
}

function ravel(dims: readonly number[], index: readonly number[]): number {
  return dims.reduce((at, dim, d) => at * dim + index[d]!, 0)
}

/** ONNX broadcasting: aligned at the right, a dim of 1 is repeated. */
function broadcast(dims: readonly number[], index: readonly number[]): number {
  const shift = index.length - dims.length
  return dims.reduce((at, dim, d) => at * dim + (dim === 1 ? 0 : index[shift + d]!), 0)
}
