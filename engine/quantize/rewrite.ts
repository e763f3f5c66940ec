import { elementCount, type Tensor } from "#protocol"
import { createBuilder, type Value } from "../program/builder.ts"
import { elementsOf, tensorOf } from "../program/elements.ts"
import { createOps, type Ops } from "../program/ops.ts"
import { NotPrimitive } from "../program/primitive.ts"
import { inOrder } from "../program/simplify.ts"
import { writeProgram } from "../program/writeProgram.ts"
import type { Range } from "./calibrate.ts"
import type { Layer } from "./layers.ts"
import type { ProgramGraph } from "./readProgram.ts"

/**
 * The program with some layers in bytes: what enters is rounded to uint8 with one scale and zero point, weights to
 * uint8 around 128 with a scale for each column or filter; sums of products are exact int32 and become floats again
 * by one correctly rounded product.
 */
export function toBytes(graph: ProgramGraph, layers: ReadonlyMap<Layer, Range>): Uint8Array {
  const builder = createBuilder()
  const o = createOps(builder)
  const results = graph.results.map(([, value]) => value)
  const sorted = inOrder(results)
  const byValue = new Map([...layers].map(([layer, range]) => [layer.value, range]))
  const kept = new Set(results)
  const readers = new Map<Value, Set<Value>>()
  for (const value of sorted)
    for (const read of value.node?.inputs ?? []) readers.set(read, (readers.get(read) ?? new Set()).add(value))
  const onlyBytes = (value: Value): boolean =>
    !kept.has(value) &&
    [...(readers.get(value) ?? [])].every(
      (reader) =>
        (byValue.has(reader) && reader.node!.inputs.indexOf(value) === 0) ||
        (movesBytes(reader) && onlyBytes(reader)),
    )
  const fresh = new Map<Value, Value>()
  const context: Context = { o, now: (value) => fresh.get(value)!, onlyBytes, byValue }
  // What nobody reads any more is made too, and not written.
  for (const value of sorted) {
    if (value.node) builder.label(value.node.label)
    fresh.set(value, remake(context, value))
  }
  const named = graph.results.map(([name, value]) => [name, fresh.get(value)!] as const)
  return writeProgram(builder, graph.inputs, named, graph.digestTensors, graph.name)
}

type Context = {
  readonly o: Ops
  readonly now: (value: Value) => Value
  /** Whether nothing but layers in bytes reads it, at once or after it was moved: it need not exist as floats. */
  readonly onlyBytes: (value: Value) => boolean
  readonly byValue: ReadonlyMap<Value, Range>
}

function remake(context: Context, value: Value): Value {
  const { o, now, byValue } = context
  if (value.input !== undefined) return o.builder.input(value.input, value.dtype, value.dims)
  if (value.constant) return o.constant(value.constant, value.facts)
  const range = byValue.get(value)
  if (range) return product(context, value, range)
  const { op, inputs, attributes } = value.node!
  const read = inputs.map(now)
  try {
    return o.emit(op, read, attributes)
  } catch (error) {
    if (!(error instanceof NotPrimitive)) throw error
    // What was known of an operand does not follow any more: it is made so.
    return o.emit(
      op,
      read.map((operand) => (operand.constant ? operand : o.orderly(operand))),
      attributes,
    )
  }
}

/** Operations that put out what they read, in other places: bytes move as well as floats, and faster. */
const MOVES = new Set(["Reshape", "Transpose", "Slice", "MaxPool"])
const movesBytes = ({ node }: Value): boolean => node?.op === "ThresholdedRelu" || MOVES.has(node?.op ?? "")

type Steps = { readonly scale: number; readonly zero: number }

const CENTER = 128
/** Weights lie at most this far from their center. */
const REACH = 127

function product(context: Context, value: Value, range: Range): Value {
  const { o } = context
  const { op, inputs, attributes } = value.node!
  const [activation, weights] = inputs as [Value, Value]
  const steps = stepsOf(range)
  const left = asBytes(context, activation, steps)
  const points = [o.number("uint8", steps.zero), o.number("uint8", CENTER)] as const
  if (op === "Conv") {
    const { bytes, scales } = byRows(weights.constant!)
    const sums = o.emit("ConvInteger", [left, o.constant(bytes), ...points], attributes)
    return o.mul(o.cast(sums, "float32"), o.vector(scales.map((scale) => scale * steps.scale), [scales.length, 1, 1]))
  }
  const { bytes, scales } = byColumns(weights.constant!)
  const sums = o.emit("MatMulInteger", [left, o.constant(bytes), ...points])
  return o.mul(o.cast(sums, "float32"), o.vector(scales.map((scale) => scale * steps.scale)))
}

export function stepsOf({ low, high }: Range): Steps {
  const scale = Math.fround((high - low) / 255)
  // A tensor that was always 0, or nearly, keeps steps that divide.
  if (!(scale > 2 ** -126)) return { scale: 1, zero: 0 }
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-low / scale))) }
}

/** A value rounded to bytes: where it is known best, before it is cut, moved or pooled. */
function asBytes(context: Context, value: Value, steps: Steps): Value {
  const { o, now, onlyBytes } = context
  const { node } = value
  // With nothing below 0 in the range, rounding to bytes cuts off what relu does; a NaN is 0 to both.
  if (node?.op === "ThresholdedRelu" && steps.zero === 0 && onlyBytes(value))
    return quantized(o, now(node.inputs[0]!), steps)
  if (node && MOVES.has(node.op) && onlyBytes(value)) {
    const [inner, ...rest] = node.inputs
    return o.emit(node.op, [asBytes(context, inner!, steps), ...rest.map(now)], node.attributes)
  }
  return quantized(o, now(value), steps)
}

function quantized(o: Ops, value: Value, { scale, zero }: Steps): Value {
  const ordered = value.facts.nan && zero === 0 ? o.relu(value) : o.orderly(value, { zeros: false })
  return o.emit("QuantizeLinear", [ordered, o.scalar(scale), o.number("uint8", zero)])
}

type Weights = { readonly bytes: Tensor; readonly scales: number[] }

/** Filters (O, C, h, w): a scale for each. */
function byRows(tensor: Tensor): Weights {
  const values = elementsOf(tensor) as Float32Array
  const count = tensor.dims[0]!
  const size = elementCount(tensor.dims) / count
  return rounded(tensor, values, count, (i) => Math.floor(i / size))
}

/** (K, N): a scale for each column. */
function byColumns(tensor: Tensor): Weights {
  const columns = tensor.dims[1]!
  return rounded(tensor, elementsOf(tensor) as Float32Array, columns, (i) => i % columns)
}

function rounded(tensor: Tensor, values: Float32Array, count: number, group: (i: number) => number): Weights {
  const most = new Float64Array(count)
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!)
    const g = group(i)
    if (size > most[g]!) most[g] = size
  }
  const scales = Array.from(most, (size) => (size / REACH > 2 ** -126 ? size / REACH : 1))
  const bytes = new Uint8Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const steps = Math.round(values[i]! / scales[group(i)]!)
    bytes[i] = CENTER + Math.min(REACH, Math.max(-REACH, steps))
  }
  return { bytes: tensorOf("uint8", tensor.dims, bytes), scales }
}

