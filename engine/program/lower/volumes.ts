import type { Value } from "../builder.ts"
import { int64s } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { extreme } from "./elementwise.ts"
import { input, type Lowering } from "./lowering.ts"
import { averagePool, type ConvSizes, convolve, type Sizes, windowOf } from "./windows.ts"

/** Windows that slide over (N, C, D, H, W): over the images of each depth, and then over what came of them. */

/** One place of the window along the depth: from which of the input's images each output depth takes. */
type Tap = readonly number[]

/** The window along the depth, place by place, and along height and width. */
function partsOf({ kernel, strides, pads, dilations }: Sizes, x: Value): { taps: Tap[]; flat: Sizes } {
  const span = dilations[0]! * (kernel[0]! - 1) + 1
  const count = Math.floor((x.dims[2]! + pads[0]! + pads[3]! - span) / strides[0]!) + 1
  const taps = Array.from({ length: kernel[0]! }, (_, z) =>
    Array.from({ length: count }, (_, at) => at * strides[0]! - pads[0]! + z * dilations[0]!),
  )
  const flat = {
    kernel: kernel.slice(1),
    strides: strides.slice(1),
    pads: [pads[1]!, pads[2]!, pads[4]!, pads[5]!],
    dilations: dilations.slice(1),
  }
  return { taps, flat }
}

/** The images (N, C, depths, H, W) that a tap names; where it names none, zeros. */
function taken(o: Ops, x: Value, tap: Tap): Value {
  const depth = x.dims[2]!
  const inside = tap.every((at) => at >= 0 && at < depth)
  const padded = inside ? x : o.pad(x, [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], o.number(x.dtype, 0))
  return o.gather(padded, o.constant(int64s(tap.map((at) => (at >= 0 && at < depth ? at : depth)))), 2)
}

/** Every depth's images as so many of a batch, and back. */
function side(o: Ops, x: Value): Value {
  const [n, c, d, h, w] = x.dims as [number, number, number, number, number]
  return o.reshape(o.transpose(x, [0, 2, 1, 3, 4]), [n * d, c, h, w])
}
function back(o: Ops, images: Value, n: number): Value {
  const [, c, h, w] = images.dims as [number, number, number, number]
  const apart = o.reshape(images, [n, images.dims[0]! / n, c, h, w])
  return o.transpose(apart, [0, 2, 1, 3, 4])
}

/** A sum of as many convolutions of images as the filter is deep, in the order of its depth. */
export function convolveVolume(o: Ops, x: Value, w: Value, { group, ...window }: ConvSizes): Value {
  const { taps, flat } = partsOf(window, x)
  const [filters, channels, , ...kernel] = w.dims as [number, number, number, number, number]
  const parts = taps.map((tap, z) => {
    const filter = o.reshape(o.range(w, 2, z, z + 1), [filters, channels, ...kernel])
    return convolve(o, side(o, taken(o, x, tap)), filter, { ...flat, group })
  })
  return back(
    o,
    parts.reduce((a, b) => o.add(a, b)),
    x.dims[0]!,
  )
}

export function maxVolume(l: Lowering): Value {
  const { o } = l
  const x = o.orderly(input(l, 0))
  const { taps, flat } = partsOf(windowOf(l, x), x)
  const { kernel, strides, pads, dilations } = flat
  const images = o.emit("MaxPool", [side(o, x)], { kernel_shape: kernel, strides, pads, dilations })
  const pooled = back(o, images, x.dims[0]!)
  const depth = x.dims[2]!
  // A depth outside is stood in for by another of the same window, which is the greatest no more often for that.
  const within = taps.map((tap) =>
    tap.map((at, i) =>
      at >= 0 && at < depth ? at : taps.map((other) => other[i]!).find((one) => one >= 0 && one < depth)!,
    ),
  )
  return within.map((tap) => o.gather(pooled, o.constant(int64s(tap)), 2)).reduce((a, b) => extreme(o, "Greater", a, b))
}

export function averageVolume(l: Lowering, countPads: boolean): Value {
  const { o } = l
  const x = input(l, 0)
  const { taps, flat } = partsOf(windowOf(l, x), x)
  const means = back(o, averagePool(o, side(o, x), flat, countPads), x.dims[0]!)
  const sums = taps.map((tap) => taken(o, means, tap)).reduce((a, b) => o.add(a, b))
  const depth = x.dims[2]!
  const counts = taps[0]!.map((_, i) => taps.filter((tap) => countPads || (tap[i]! >= 0 && tap[i]! < depth)).length)
  return o.div(sums, o.vector(counts, [1, 1, counts.length, 1, 1]))
}
