import { type Dtype, dtypeOfOnnxNumber } from "#protocol"
import type { Value } from "../builder.ts"
import { elementsOf, int64s, newElements, tensorOf } from "../elements.ts"
import { broadcastDims } from "../values.ts"
import {
  axisOf,
  constantInts,
  constantNumber,
  constantOf,
  input,
  int,
  ints,
  intsOf,
  type Lower,
  type Lowering,
  product,
  refuse,
  text,
} from "./lowering.ts"

/** Operators that move elements, or tell how many there are. */

export const shapes: Readonly<Record<string, Lower>> = {
  Reshape: (l) => {
    const x = input(l, 0)
    const wanted = l.inputs[1] ? constantInts(l.inputs[1], "shape") : [...(ints(l, "shape") ?? [])]
    const keepZero = int(l, "allowzero", 0) === 1
    const dims = wanted.map((dim, i) => (dim === 0 && !keepZero ? x.dims[i]! : dim))
    const known = product(dims.filter((dim) => dim !== -1))
    return [
      l.o.reshape(
        x,
        dims.map((dim) => (dim === -1 ? product(x.dims) / known : dim)),
      ),
    ]
  },
  Flatten: (l) => {
    const x = input(l, 0)
    const axis = int(l, "axis", 1)
    const at = axis < 0 ? axis + x.dims.length : axis
    return [l.o.reshape(x, [product(x.dims.slice(0, at)), product(x.dims.slice(at))])]
  },
  Squeeze: (l) => {
    const x = input(l, 0)
    const axes = intsOf(l, 1, "axes")?.map((axis) => axisOf(axis, x.dims.length))
    return [
      l.o.reshape(
        x,
        x.dims.filter((dim, i) => (axes && axes.length > 0 ? !axes.includes(i) : dim !== 1)),
      ),
    ]
  },
  Unsqueeze: (l) => {
    const x = input(l, 0)
    const given = intsOf(l, 1, "axes") ?? []
    const rank = x.dims.length + given.length
    const axes = new Set(given.map((axis) => axisOf(axis, rank)))
    const rest = [...x.dims]
    return [
      l.o.reshape(
        x,
        Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : rest.shift()!)),
      ),
    ]
  },
  Transpose: (l) => {
    const x = input(l, 0)
    const perm = ints(l, "perm")
    return [l.o.transpose(x, perm && perm.length > 0 ? perm : [...x.dims.keys()].reverse())]
  },
  Slice: (l) => {
    const x = input(l, 0)
    const starts = intsOf(l, 1, "starts") ?? []
    const ends = intsOf(l, 2, "ends") ?? []
    const axes = intsOf(l, 3, "axes")
    const steps = intsOf(l, 4, "steps")
    const cuts = starts.map((start, i) => {
      const axis = axisOf(axes && axes.length > 0 ? axes[i]! : i, x.dims.length)
      return normalCut(x.dims[axis]!, axis, start, ends[i]!, steps && steps.length > 0 ? steps[i]! : 1)
    })
    return [l.o.slice(x, cuts)]
  },
  Split: (l) => {
    const x = input(l, 0)
    const axis = axisOf(int(l, "axis", 0), x.dims.length)
    const count = l.node.outputs.length
    const even = Math.ceil(x.dims[axis]! / int(l, "num_outputs", count))
    const given = intsOf(l, 1, "split")
    const sizes =
      given && given.length > 0
        ? given
        : Array.from({ length: count }, (_, i) => Math.min(even, x.dims[axis]! - i * even))
    let at = 0
    return sizes.map((size) => {
      at += size
      return l.o.range(x, axis, at - size, at)
    })
  },
  Concat: (l) => {
    const parts = l.inputs.map((_, i) => input(l, i)).filter(({ dims }) => product(dims) > 0)
    const first = parts[0] ?? input(l, 0)
    return [l.o.concat(parts.length > 0 ? parts : [first], axisOf(int(l, "axis", 1), first.dims.length))]
  },
  Expand: (l) => {
    const x = input(l, 0)
    const shape = constantInts(input(l, 1), "shape")
    const dims =
      broadcastDims(x.dims, shape) ?? refuse(`[${x.dims}] does not expand to [${shape}]`, "export the model again")
    return [l.o.expand(x, dims)]
  },
  Tile: (l) => {
    const x = input(l, 0)
    const repeats = constantInts(input(l, 1), "repeats")
    return [
      repeats.reduce(
        (tiled, count, axis) => (count === 1 ? tiled : l.o.concat(new Array<Value>(count).fill(tiled), axis)),
        x,
      ),
    ]
  },
  Pad: padding,
  DepthToSpace: (l) => {
    const { o } = l
    const x = input(l, 0)
    const b = int(l, "blocksize", 1)
    const [n, c, h, w] = x.dims as [number, number, number, number]
    const columns = text(l, "mode", "DCR") === "DCR"
    const deep = c / (b * b)
    const split = o.reshape(x, columns ? [n, b, b, deep, h, w] : [n, deep, b, b, h, w])
    return [o.reshape(o.transpose(split, columns ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]), [n, deep, h * b, w * b])]
  },
  SpaceToDepth: (l) => {
    const { o } = l
    const x = input(l, 0)
    const b = int(l, "blocksize", 1)
    const [n, c, h, w] = x.dims as [number, number, number, number]
    const split = o.reshape(x, [n, c, h / b, b, w / b, b])
    return [o.reshape(o.transpose(split, [0, 3, 5, 1, 2, 4]), [n, c * b * b, h / b, w / b])]
  },
  Trilu: (l) => {
    const { o } = l
    const x = input(l, 0)
    const k = l.inputs[1] ? constantNumber(l.inputs[1], "diagonal") : 0
    const [rows, columns] = x.dims.slice(-2) as [number, number]
    const upper = int(l, "upper", 1) === 1
    const mask = Uint8Array.from({ length: rows * columns }, (_, e) => {
      const ahead = (e % columns) - Math.floor(e / columns)
      return (upper ? ahead >= k : ahead <= k) ? 1 : 0
    })
    return [o.where(o.constant(tensorOf("bool", [rows, columns], mask)), x, o.number(x.dtype, 0))]
  },
  Shape: (l) => {
    const { dims } = input(l, 0)
    const at = (value: number) => Math.min(Math.max(value < 0 ? value + dims.length : value, 0), dims.length)
    const part = dims.slice(at(int(l, "start", 0)), at(int(l, "end", dims.length)))
    return [l.o.constant(int64s(part))]
  },
  Size: (l) => [l.o.constant(int64s([product(input(l, 0).dims)], []))],
  Constant: (l) => [l.o.constant(constantAttribute(l))],
  ConstantOfShape: (l) => {
    const dims = constantInts(input(l, 0), "shape")
    const value = l.node.attributes.get("value")?.tensors[0]?.read()
    const dtype: Dtype = value?.dtype ?? "float32"
    const elements = newElements(dtype, dims)
    if (value) elements.fill(elementsOf(value)[0] as never)
    return [l.o.constant(tensorOf(dtype, dims, elements))]
  },
  Range: (l) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => constantOf(input(l, i), "range")) as [never, never, never]
    const { dtype } = input(l, 0)
    const [from, to, by] = [start, limit, delta].map((tensor) => Number(elementsOf(tensor)[0])) as [
      number,
      number,
      number,
    ]
    const count = Math.max(0, Math.ceil((to - from) / by))
    const values = Array.from({ length: count }, (_, i) => from + i * by)
    if (dtype === "int64") return [l.o.constant(int64s(values))]
    const elements = newElements(dtype, [count])
    values.forEach((value, i) => {
      elements[i] = value
    })
    return [l.o.constant(tensorOf(dtype, [count], elements))]
  },
  OneHot: (l) => {
    const { o } = l
    const indices = input(l, 0)
    const depth = constantNumber(input(l, 1), "depth")
    const axis = int(l, "axis", -1)
    const rank = indices.dims.length + 1
    const at = axisOf(axis, rank)
    const spread = o.reshape(indices, [...indices.dims.slice(0, at), 1, ...indices.dims.slice(at)])
    const places = o.cast(
      o.constant(int64s([...new Array(depth).keys()], [depth, ...new Array<number>(rank - 1 - at).fill(1)])),
      indices.dtype,
    )
    // A negative index counts from the end.
    const wrapped = o.where(
      o.compare("Less", spread, o.number(indices.dtype, 0)),
      o.add(spread, o.number(indices.dtype, depth)),
      spread,
    )
    const values = input(l, 2)
    const [off, on] = [0, 1].map((i) => o.reshape(o.range(values, 0, i, i + 1), [])) as [Value, Value]
    return [o.where(o.compare("Equal", wrapped, places), on, off)]
  },
  EyeLike: (l) => {
    const { dims } = input(l, 0)
    const [rows, columns] = dims as [number, number]
    const k = int(l, "k", 0)
    const eye = Float32Array.from({ length: rows * columns }, (_, e) =>
      (e % columns) - Math.floor(e / columns) === k ? 1 : 0,
    )
    const dtype = dtypeOfOnnxNumber(int(l, "dtype", 1)) ?? "float32"
    return [l.o.cast(l.o.vector(eye, [rows, columns]), dtype)]
  },
}

function constantAttribute({ node }: Lowering) {
  const { attributes } = node
  const tensor = attributes.get("value")?.tensors[0]
  if (tensor) return tensor.read()
  const [one, many] = [attributes.get("value_int"), attributes.get("value_ints")]
  if (one) return int64s([one.i ?? 0], [])
  if (many) return int64s(many.ints)
  const [float, floats] = [attributes.get("value_float"), attributes.get("value_floats")]
  if (float) return tensorOf("float32", [], Float32Array.of(float.f ?? 0))
  if (floats) return tensorOf("float32", [floats.floats.length], Float32Array.from(floats.floats))
  return refuse("it holds a constant of a kind that programs do not have", "store it as a tensor of numbers")
}

/** Start and end inside the axis, as `Ops.slice` takes them. */
function normalCut(size: number, axis: number, start: number, end: number, step: number) {
  const wrap = (at: number) => (at < 0 ? at + size : at)
  const clamp = (at: number, low: number, high: number) => Math.min(Math.max(at, low), high)
  if (step > 0) return { axis, start: clamp(wrap(start), 0, size), end: clamp(wrap(end), 0, size), step }
  const last = clamp(wrap(end), -1, size - 1)
  return { axis, start: clamp(wrap(start), 0, size - 1), end: last === -1 ? -size - 1 : last, step }
}

function padding(l: Lowering): readonly Value[] {
  const { o } = l
  const x = input(l, 0)
  const rank = x.dims.length
  const given = intsOf(l, 1, "pads") ?? [...(ints(l, "paddings") ?? [])]
  const axes = l.inputs[3] ? constantInts(l.inputs[3], "axes").map((axis) => axisOf(axis, rank)) : [...x.dims.keys()]
  const begins = x.dims.map((_, i) => (axes.includes(i) ? given[axes.indexOf(i)]! : 0))
  const ends = x.dims.map((_, i) => (axes.includes(i) ? given[axes.indexOf(i) + axes.length]! : 0))
  // Negative padding cuts.
  const cut = o.slice(
    x,
    x.dims.map((dim, axis) => ({ axis, start: Math.max(0, -begins[axis]!), end: dim - Math.max(0, -ends[axis]!) })),
  )
  const [before, after] = [begins, ends].map((amounts) => amounts.map((amount) => Math.max(0, amount))) as [
    number[],
    number[],
  ]
  const mode = text(l, "mode", "constant")
  if (mode === "constant") {
    const value = l.inputs[2] ?? o.number(x.dtype, x.dtype === "float32" ? (l.node.attributes.get("value")?.f ?? 0) : 0)
    constantOf(value, "padding value")
    return [o.pad(cut, before, after, o.reshape(value, []))]
  }
  return [
    cut.dims.reduce((padded, size, axis) => padAxis(l, padded, axis, size, before[axis]!, after[axis]!, mode), cut),
  ]
}

/** By looking each place up: reflected, or the nearest edge, or around the other end. */
function padAxis(
  { o }: Lowering,
  x: Value,
  axis: number,
  size: number,
  before: number,
  after: number,
  mode: string,
): Value {
  if (before === 0 && after === 0) return x
  const source = (at: number): number => {
    if (mode === "edge") return Math.min(Math.max(at, 0), size - 1)
    if (mode === "wrap") return ((at % size) + size) % size
    if (mode !== "reflect") refuse(`it pads in mode ${mode}`, "pad with constants, edges or reflections")
    const period = Math.max(1, 2 * (size - 1))
    const inside = ((at % period) + period) % period
    return inside < size ? inside : period - inside
  }
  return o.gather(
    x,
    o.constant(int64s(Array.from({ length: before + size + after }, (_, i) => source(i - before)))),
    axis,
  )
}
