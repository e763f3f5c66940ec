import type { Value } from "../builder.ts"
import { int64s } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { log } from "./elementwise.ts"
import {
  axisOf,
  constantInts,
  constantNumbers,
  float,
  input,
  int,
  ints,
  isLeftOut,
  type Lower,
  type Lowering,
  product,
  refuse,
  text,
} from "./lowering.ts"
import { affine, normalizeLast } from "./products.ts"
import { transposedConv } from "./transposedConv.ts"
import { averageVolume, convolveVolume, maxVolume } from "./volumes.ts"
import { asImage, averagePool, convolve, fromImage, windowOf, withBias } from "./windows.ts"

/** Operators on images: windows that slide over (N, C, H, W), and statistics of channels. */

export const images: Readonly<Record<string, Lower>> = {
  Conv: (l) => {
    const { o } = l
    const [x, w] = [input(l, 0), input(l, 1)]
    const isVolume = x.dims.length === 5
    const [image, filters] = isVolume ? [x, w] : [asImage(o, x), asImage(o, w)]
    const sizes = { ...windowOf(l, image, filters.dims.slice(2)), group: int(l, "group", 1) }
    const sums = isVolume ? convolveVolume(o, x, w, sizes) : convolve(o, image, filters, sizes)
    const result = withBias(o, sums, l.inputs[2])
    return [isVolume ? result : fromImage(o, result, x.dims.length)]
  },
  ConvTranspose: (l) => [transposedConv(l)],
  MaxPool: (l) => {
    const { o, node } = l
    if (!isLeftOut(node, 1)) refuse("it puts out where its maxima are", "do without the indices")
    const x = input(l, 0)
    if (x.dims.length === 5) return [maxVolume(l)]
    const image = asImage(o, x)
    const sizes = windowOf(l, image)
    const { kernel, strides, pads, dilations } = sizes
    const result = o.emit("MaxPool", [o.orderly(image)], { kernel_shape: kernel, strides, pads, dilations })
    return [fromImage(o, result, x.dims.length)]
  },
  AveragePool: (l) => {
    const { o } = l
    const x = input(l, 0)
    const countPads = int(l, "count_include_pad", 0) === 1
    if (x.dims.length === 5) return [averageVolume(l, countPads)]
    const image = asImage(o, x)
    return [fromImage(o, averagePool(o, image, windowOf(l, image), countPads), x.dims.length)]
  },
  GlobalAveragePool: (l) => [global(l, (o, x) => o.meanLast(x))],
  GlobalLpPool: (l) => [global(l, (o, x) => rooted(l, o.sumLast(powered(l, x))))],
  LpPool: (l) => {
    const { o } = l
    const x = input(l, 0)
    const image = asImage(o, x)
    const sizes = windowOf(l, image)
    const sums = o.mul(averagePool(o, powered(l, image), sizes, true), o.scalar(product(sizes.kernel)))
    return [fromImage(o, rooted(l, sums), x.dims.length)]
  },
  GlobalMaxPool: (l) => [global(l, (o, x) => o.extremeLast("ReduceMax", x, 1))],
  BatchNormalization: (l) => {
    const { o, node } = l
    if (int(l, "training_mode", 0) === 1 || !isLeftOut(node, 1))
      refuse("it is in training mode", "export the model for inference (model.eval())")
    const x = input(l, 0)
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => input(l, i)) as [Value, Value, Value, Value]
    const factor = o.div(scale, o.sqrt(o.add(variance, o.scalar(float(l, "epsilon", 1e-5)))))
    const offset = o.sub(bias, o.mul(mean, factor))
    return [scaleChannels(o, x, factor, offset)]
  },
  LRN: (l) => [neighbours(l)],
  MeanVarianceNormalization: (l) => {
    const { o } = l
    const x = input(l, 0)
    const axes = (ints(l, "axes") ?? [0, 2, 3]).map((axis) => axisOf(axis, x.dims.length))
    const order = [...[...x.dims.keys()].filter((axis) => !axes.includes(axis)), ...axes]
    const moved = o.transpose(x, order)
    const size = product(axes.map((axis) => x.dims[axis]!))
    const rows = o.reshape(moved, [product(x.dims) / size, size])
    const back = [...x.dims.keys()].map((axis) => order.indexOf(axis))
    return [o.transpose(o.reshape(normalizeLast(o, rows, 1e-9), moved.dims), back)]
  },
  InstanceNormalization: (l) => {
    const { o } = l
    const x = input(l, 0)
    const rows = o.reshape(x, [...x.dims.slice(0, 2), product(x.dims.slice(2))])
    const normal = normalizeLast(o, rows, float(l, "epsilon", 1e-5))
    const [scale, bias] = [1, 2].map((i) => o.reshape(input(l, i), [x.dims[1]!, 1]))
    return [o.reshape(affine(o, normal, scale, bias), x.dims)]
  },
  GroupNormalization: (l) => {
    const { o } = l
    const x = input(l, 0)
    const [n, channels] = x.dims as [number, number]
    const groups = int(l, "num_groups", 1)
    const rows = o.reshape(x, [n, groups, product(x.dims) / n / groups])
    const normal = o.reshape(normalizeLast(o, rows, float(l, "epsilon", 1e-5)), x.dims)
    const [scale, bias] = [1, 2].map((i) => {
      const value = input(l, i)
      // Up to opset 20 one number a group, from 21 on one a channel.
      const wide =
        product(value.dims) === groups && groups !== channels
          ? o.expand(o.reshape(value, [groups, 1]), [groups, channels / groups])
          : value
      return o.reshape(wide, [channels, ...x.dims.slice(2).map(() => 1)])
    })
    return [affine(o, normal, scale, bias)]
  },
  Resize: (l) => [resize(l, l.inputs[3] ?? undefined, l.inputs[2] ?? undefined)],
  Upsample: (l) => [resize(l, undefined, l.inputs[1] ?? l.o.vector(l.node.attributes.get("scales")?.floats ?? []))],
}

/** Every channel times a factor, plus an offset; where a convolution stands before it, in its weights. */
function scaleChannels(o: Ops, x: Value, factor: Value, offset: Value): Value {
  const channels = [factor.dims[0]!, ...x.dims.slice(2).map(() => 1)]
  const added = x.node?.op === "Add" && x.node.inputs[1]!.constant ? x.node.inputs[1] : undefined
  const conv = added ? x.node!.inputs[0]! : x
  const [image, filters] = conv.node?.op === "Conv" ? conv.node.inputs : []
  if (image && filters?.constant && factor.constant && (!added || product(added.dims) === factor.dims[0])) {
    const scaled = o.mul(filters, o.reshape(factor, [factor.dims[0]!, 1, 1, 1]))
    const bias = added ? o.add(o.mul(o.reshape(added, factor.dims), factor), offset) : offset
    return withBias(o, o.emit("Conv", [image, scaled], conv.node!.attributes), bias)
  }
  return o.add(o.mul(x, o.reshape(factor, channels)), o.reshape(offset, channels))
}

/** Norms of order 1 and 2: what is added up, and what becomes of the sum. */
function powered(l: Lowering, x: Value): Value {
  const order = int(l, "p", 2)
  if (order !== 1 && order !== 2) refuse(`it takes a norm of order ${order}`, "use order 1 or 2")
  return order === 1 ? l.o.abs(x) : l.o.mul(x, x)
}

function rooted(l: Lowering, sum: Value): Value {
  return int(l, "p", 2) === 1 ? sum : l.o.sqrt(sum)
}

/** Each channel over a power of the squares around it: sums of neighbours are a product with a band of constants. */
function neighbours(l: Lowering): Value {
  const { o } = l
  const x = input(l, 0)
  const size = int(l, "size", 1)
  const channels = x.dims[1]!
  const weight = float(l, "alpha", 1e-4) / size
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)]
  const band = Float32Array.from({ length: channels * channels }, (_, e) => {
    const [from, to] = [Math.floor(e / channels), e % channels]
    return from >= to - before && from <= to + after ? weight : 0
  })
  const last = o.axisLast(o.mul(x, x), 1)
  const rows = o.reshape(last, [product(last.dims) / channels, channels])
  const sums = o.axisBack(o.reshape(o.matMul(rows, o.vector(band, [channels, channels])), last.dims), 1)
  const base = o.add(sums, o.scalar(float(l, "bias", 1)))
  return o.div(x, o.exp(o.mul(log(o, base), o.scalar(float(l, "beta", 0.75)))))
}

function global(l: Lowering, f: (o: Ops, x: Value) => Value): Value {
  const { o } = l
  const x = input(l, 0)
  const rows = o.reshape(x, [...x.dims.slice(0, 2), product(x.dims.slice(2))])
  return o.reshape(f(o, rows), [...x.dims.slice(0, 2), ...x.dims.slice(2).map(() => 1)])
}

/** A convolution of the image with zeros between its points, filters turned around. */
/** Nearest neighbours are looked up; lines between neighbours are a product with constant weights, axis by axis. */
function resize(l: Lowering, sizes: Value | undefined, scales: Value | undefined): Value {
  const { o } = l
  const x = input(l, 0)
  const axes = ints(l, "axes") ?? []
  const at = (list: number[] | undefined, axis: number): number | undefined => {
    if (!list || list.length === 0) return undefined
    return axes.length > 0 ? list[axes.indexOf(axis)] : list[axis]
  }
  const wanted = sizes && product(sizes.dims) > 0 ? constantInts(sizes, "sizes") : undefined
  const factors = scales && product(scales.dims) > 0 ? constantNumbers(scales, "scales") : undefined
  const mode = text(l, "mode", "nearest")
  const transform = l.node.op === "Upsample" ? "asymmetric" : text(l, "coordinate_transformation_mode", "half_pixel")
  const nearest = text(l, "nearest_mode", l.node.op === "Upsample" ? "floor" : "round_prefer_floor")
  if (int(l, "antialias", 0) === 1 || !["nearest", "linear"].includes(mode))
    refuse(`it resizes in mode ${mode}`, "resize by nearest or linear")
  return x.dims.reduce((value, size, axis) => {
    const scale = at(factors, axis) ?? (at(wanted, axis) ?? size) / size
    const out = at(wanted, axis) ?? Math.floor(size * scale)
    if (out === size && scale === 1) return value
    const places = Array.from({ length: out }, (_, i) => place(i, size, out, scale, transform))
    if (mode === "nearest") {
      const indices = places.map((p) => Math.min(Math.max(rounded(p, nearest), 0), size - 1))
      return o.gather(value, o.constant(int64s(indices)), axis)
    }
    const weights = new Float32Array(size * out)
    places.forEach((p, i) => {
      const inside = Math.min(Math.max(p, 0), size - 1)
      const low = Math.min(Math.floor(inside), size - 1)
      const high = Math.min(low + 1, size - 1)
      weights[low * out + i]! += 1 - (inside - low)
      weights[high * out + i]! += inside - low
    })
    const last = o.axisLast(value, axis)
    const rows = o.reshape(last, [product(last.dims.slice(0, -1)), size])
    const stretched = o.matMul(rows, o.vector(weights, [size, out]))
    return o.axisBack(o.reshape(stretched, [...last.dims.slice(0, -1), out]), axis)
  }, x)
}

function place(i: number, size: number, out: number, scale: number, transform: string): number {
  switch (transform) {
    case "asymmetric":
      return i / scale
    case "align_corners":
      return out === 1 ? 0 : (i * (size - 1)) / (out - 1)
    case "pytorch_half_pixel":
      return out > 1 ? (i + 0.5) / scale - 0.5 : 0
    case "half_pixel":
      return (i + 0.5) / scale - 0.5
    default:
      return refuse(`it places pixels by ${transform}`, "resize with half_pixel, align_corners or asymmetric")
  }
}

function rounded(place: number, mode: string): number {
  if (mode === "floor") return Math.floor(place)
  if (mode === "ceil") return Math.ceil(place)
  return mode === "round_prefer_ceil" ? Math.floor(place + 0.5) : Math.ceil(place - 0.5)
}
