import { elementCount, type Tensor } from "#protocol"
import { createBuilder, type Value } from "../program/builder.ts"
import { elementsOf, tensorOf } from "../program/elements.ts"
import { createOps, type Ops } from "../program/ops.ts"
import { NotPrimitive } from "../program/primitive.ts"
import { inOrder } from "../program/simplify.ts"
import { sameDims } from "../program/values.ts"
import { writeProgram } from "../program/writeProgram.ts"
import type { Range } from "./calibrate.ts"
import type { Layer } from "./layers.ts"
import type { ProgramGraph } from "./readProgram.ts"

/**
 * The program with some layers in bytes: what enters is rounded to uint8 with one scale and zero point, weights to
 * uint8 around 128 with a scale for each column or filter; sums of products are exact int32 and become floats again
 * by one correctly rounded product.
 *
 * Convolutions become products of matrices: a row a position, a column a channel. onnxruntime then has its weights
 * packed beforehand, and what lies between two convolutions stays in that layout.
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
        (byValue.has(reader) && reader.node!.inputs.indexOf(value) === 0) || (movesBytes(reader) && onlyBytes(reader)),
    )
  const fresh = new Map<Value, Laid>()
  const made = (value: Value): Laid => fresh.get(value)!
  const context: Context = {
    o,
    made,
    now: (value) => asPlain(o, made(value), value.dims),
    onlyBytes,
    byValue,
    windows: new Map(),
  }
  // What nobody reads any more is made too, and not written.
  for (const value of sorted) {
    if (value.node) builder.label(value.node.label)
    fresh.set(value, remake(context, value))
  }
  const named = graph.results.map(([name, value]) => [name, context.now(value)] as const)
  return writeProgram(builder, graph.inputs, named, graph.digestTensors, graph.name)
}

/**
 * A tensor as the program has it, or, of an image (N, C, H, W), in rows: positions one after another, each with its
 * channels. Some positions share a row: a constant for each channel meets long rows twice as fast as short ones.
 */
type Laid = { readonly value: Value; readonly rows: boolean }

const LONG = 512

/** How many positions share a row; one, where channels alone make it long enough. */
function shared([n, c, h, w]: readonly number[]): number {
  const positions = n! * h! * w!
  if (c! >= LONG / 2) return 1
  let count = Math.max(1, Math.min(positions, Math.floor(LONG / c!)))
  while (positions % count !== 0) count--
  return count
}

type Context = {
  readonly o: Ops
  readonly made: (value: Value) => Laid
  /** What a value has become, in its own layout. */
  readonly now: (value: Value) => Value
  /** Whether nothing but layers in bytes reads it, at once or after it was moved: it need not exist as floats. */
  readonly onlyBytes: (value: Value) => boolean
  readonly byValue: ReadonlyMap<Value, Range>
  /** Convolutions of the same sizes share them: they may be larger than weights. */
  readonly windows: Map<string, Windows>
}

const plain = (value: Value): Laid => ({ value, rows: false })

function asPlain(o: Ops, { value, rows }: Laid, dims: readonly number[]): Value {
  if (!rows) return value
  const [n, c, h, w] = dims as [number, number, number, number]
  return o.transpose(o.reshape(value, [n, h, w, c]), [0, 3, 1, 2])
}

/** A row a position. */
function asPositions(o: Ops, laid: Laid, dims: readonly number[]): Value {
  const [n, c, h, w] = dims as [number, number, number, number]
  return o.reshape(laid.rows ? laid.value : o.transpose(laid.value, [0, 2, 3, 1]), [n * h * w, c])
}

function asRows(o: Ops, laid: Laid, dims: readonly number[]): Value {
  const [n, c, h, w] = dims as [number, number, number, number]
  const count = shared(dims)
  return laid.rows ? laid.value : o.reshape(asPositions(o, laid, dims), [(n * h * w) / count, count * c])
}

function remake(context: Context, value: Value): Laid {
  const { o, now, byValue } = context
  if (value.input !== undefined) return plain(entry(context, value))
  if (value.constant) return plain(o.constant(value.constant, value.facts))
  const range = byValue.get(value)
  if (range) return product(context, value, range)
  const inRows = elementwiseRows(context, value)
  if (inRows) return inRows
  const { op, inputs, attributes } = value.node!
  const read = inputs.map(now)
  try {
    return plain(o.emit(op, read, attributes))
  } catch (error) {
    if (!(error instanceof NotPrimitive)) throw error
    // What was known of an operand does not follow any more: it is made so.
    const ordered = read.map((operand) => (operand.constant ? operand : o.orderly(operand)))
    return plain(o.emit(op, ordered, attributes))
  }
}

/** Beyond any input that a quantized model can make sense of, and small enough that no square overflows. */
const FARTHEST = 2 ** 40

/**
 * A float input that more than layers in bytes read is bounded, and rid of NaN, once: nothing after it then has to be
 * guarded. Without this a NaN that nobody gives would cost two passes at every layer.
 */
function entry({ o, onlyBytes }: Context, value: Value): Value {
  const fresh = o.builder.input(value.input!, value.dtype, value.dims)
  return value.dtype !== "float32" || onlyBytes(value) ? fresh : o.clamp(fresh, -FARTHEST, FARTHEST)
}

const ELEMENTWISE = new Set(["Add", "Sub", "Mul", "Div", "ThresholdedRelu"])

/** An operation on each element of images that are rows already stays in rows. */
function elementwiseRows({ o, made }: Context, value: Value): Laid | undefined {
  const { op, inputs, attributes } = value.node!
  if (!ELEMENTWISE.has(op) || value.dims.length !== 4) return undefined
  if (!inputs.some((read) => !read.constant && made(read).rows)) return undefined
  const operands = inputs.map((read) =>
    read.constant
      ? acrossRows(o, read, value)
      : sameDims(read.dims, value.dims)
        ? asRows(o, made(read), read.dims)
        : undefined,
  )
  if (operands.some((operand) => operand === undefined)) return undefined
  return { value: o.emit(op, operands as Value[], attributes), rows: true }
}

/** A constant for all, or one for each channel, as it meets rows. */
function acrossRows(o: Ops, constant: Value, { dims }: Value): Value | undefined {
  const count = elementCount(constant.dims)
  if (count === 1) return o.reshape(o.constant(constant.constant!, constant.facts), [])
  const perChannel = count === dims[1] && constant.dims.length >= 3 && constant.dims.at(-3) === count
  return perChannel ? o.vector(repeated(elementsOf(constant.constant!) as Float32Array, shared(dims))) : undefined
}

function repeated(values: ArrayLike<number>, times: number): Float32Array {
  return Float32Array.from({ length: values.length * times }, (_, i) => values[i % values.length]!)
}

/** Operations that put out what they read, in other places: bytes move as well as floats, and faster. */
const MOVES = new Set(["Reshape", "Transpose", "Slice", "MaxPool"])
const movesBytes = ({ node }: Value): boolean => node?.op === "ThresholdedRelu" || MOVES.has(node?.op ?? "")

type Steps = { readonly scale: number; readonly zero: number }

const CENTER = 128
/** Weights lie at most this far from their center. */
const REACH = 127

function product(context: Context, value: Value, range: Range): Laid {
  const { o } = context
  const { op, inputs, attributes } = value.node!
  const [activation, weights] = inputs as [Value, Value]
  const steps = stepsOf(range)
  const left = asBytes(context, activation, steps)
  const points = [o.number("uint8", steps.zero), o.number("uint8", CENTER)] as const
  const floats = (sums: Value, scales: readonly number[], dims = [scales.length]) =>
    o.mul(
      o.cast(sums, "float32"),
      o.vector(
        scales.map((scale) => scale * steps.scale),
        dims,
      ),
    )
  if (op === "MatMul") {
    const { bytes, scales } = byColumns(weights.constant!)
    const bytesIn = asPlain(o, left, activation.dims)
    return plain(floats(o.emit("MatMulInteger", [bytesIn, o.constant(bytes), ...points]), scales))
  }
  const { bytes, scales } = byFilters(weights.constant!)
  if (attributes.group !== 1) {
    const bytesIn = asPlain(o, left, activation.dims)
    const sums = o.emit("ConvInteger", [bytesIn, o.constant(bytes), ...points], attributes)
    return plain(floats(sums, scales, [scales.length, 1, 1]))
  }
  const windows = windowRows(context, asPositions(o, left, activation.dims), activation.dims, value, steps.zero)
  const sums = o.emit("MatMulInteger", [windows, o.constant(asColumns(bytes)), ...points])
  const count = shared(value.dims)
  const rows = o.reshape(sums, [sums.dims[0]! / count, sums.dims[1]! * count])
  return {
    value: floats(
      rows,
      Array.from({ length: rows.dims[1]! }, (_, i) => scales[i % scales.length]!),
    ),
    rows: true,
  }
}

/** What each position of the result looks at, as one row: (N H W, h w C). Padding is the zero point. */
function windowRows(
  { o, windows }: Context,
  x: Value,
  dims: readonly number[],
  { node, dims: out }: Value,
  zero: number,
): Value {
  const [n, c, height, width] = dims as [number, number, number, number]
  const { kernel_shape, strides, pads, dilations } = node!.attributes as Record<string, readonly number[]>
  const [h, w] = kernel_shape as [number, number]
  const positions = n * out[2]! * out[3]!
  const key = JSON.stringify([n, height, width, out.slice(2), kernel_shape, strides, pads, dilations])
  let found = windows.get(key)
  if (!found) {
    const outside = n * height * width
    const places = new Int32Array(positions * h * w)
    let at = 0
    for (let image = 0; image < n; image++)
      for (let row = 0; row < out[2]!; row++)
        for (let column = 0; column < out[3]!; column++)
          for (let i = 0; i < h; i++)
            for (let j = 0; j < w; j++) {
              const y = row * strides![0]! - pads![0]! + i * dilations![0]!
              const z = column * strides![1]! - pads![1]! + j * dilations![1]!
              const inside = y >= 0 && y < height && z >= 0 && z < width
              places[at++] = inside ? (image * height + y) * width + z : outside
            }
    found = {
      places: o.constant(tensorOf("int32", [at], places)),
      padded: places.includes(outside),
      all: h === 1 && w === 1 && places.every((place, i) => place === i) && at === outside,
    }
    windows.set(key, found)
  }
  if (found.all) return x
  const source = found.padded ? o.pad(x, [0, 0], [1, 0], o.number("uint8", zero)) : x
  return o.reshape(o.gather(source, found.places, 0), [positions, h * w * c])
}

/** Which positions the windows of a convolution look at: the one behind the last where they reach outside. */
type Windows = { readonly places: Value; readonly padded: boolean; readonly all: boolean }

/** Filters (O, C, h, w) as columns (h w C, O). */
function asColumns(filters: Tensor): Tensor {
  const [count, channels, h, w] = filters.dims as [number, number, number, number]
  const from = elementsOf(filters) as Uint8Array
  const to = new Uint8Array(from.length)
  for (let filter = 0; filter < count; filter++)
    for (let channel = 0; channel < channels; channel++)
      for (let place = 0; place < h * w; place++)
        to[(place * channels + channel) * count + filter] = from[(filter * channels + channel) * h * w + place]!
  return tensorOf("uint8", [h * w * channels, count], to)
}

export function stepsOf({ low, high }: Range): Steps {
  const scale = Math.fround((high - low) / 255)
  // A tensor that was always 0, or nearly, keeps steps that divide.
  if (!(scale > 2 ** -126)) return { scale: 1, zero: 0 }
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-low / scale))) }
}

/** A value rounded to bytes: where it is known best, before it is cut, moved or pooled. */
function asBytes(context: Context, value: Value, steps: Steps): Laid {
  const { o, made, now, onlyBytes } = context
  const { node } = value
  // With nothing below 0 in the range, rounding to bytes cuts off what relu does; a NaN is 0 to both.
  if (node?.op === "ThresholdedRelu" && steps.zero === 0 && onlyBytes(value))
    return asBytes(context, node.inputs[0]!, steps)
  if (node && MOVES.has(node.op) && onlyBytes(value)) {
    const [inner, ...rest] = node.inputs as [Value, ...Value[]]
    const bytes = asPlain(o, asBytes(context, inner, steps), inner.dims)
    return plain(o.emit(node.op, [bytes, ...rest.map(now)], node.attributes))
  }
  const { value: floats, rows } = made(value)
  return { value: quantized(o, floats, steps), rows }
}

function quantized(o: Ops, value: Value, { scale, zero }: Steps): Value {
  const emit = (x: Value, point: number) => o.emit("QuantizeLinear", [x, o.scalar(scale), o.number("uint8", point)])
  if (!value.facts.nan) return emit(value, zero)
  // A NaN is made the least number of the range, as what lies below it.
  return emit(o.relu(zero === 0 ? value : o.add(value, o.scalar(zero * scale))), 0)
}

type Weights = { readonly bytes: Tensor; readonly scales: number[] }

/** Filters (O, C, h, w): a scale for each. */
function byFilters(tensor: Tensor): Weights {
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
