import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { input, int, ints, type Lowering, refuse, text } from "./lowering.ts"
import { convolveVolume } from "./volumes.ts"
import { asImage, convolve, fromImage, type Sizes, windowOf, withBias } from "./windows.ts"

/** ConvTranspose is a convolution of the spread image, zeros between its elements, with the filter turned around. */
export function transposedConv(l: Lowering): Value {
  const { o } = l
  const x = input(l, 0)
  const isVolume = x.dims.length === 5
  const image = isVolume ? x : asImage(o, x)
  const weights = isVolume ? input(l, 1) : asImage(o, input(l, 1))
  const axes = [...image.dims.keys()].slice(2).map((axis) => axis - 2)
  const group = int(l, "group", 1)
  const window = windowOf(l, image, weights.dims.slice(2))
  const { kernel, strides, dilations } = window
  const outputPadding = along(axes, ints(l, "output_padding") ?? [])
  const { begin, end } = padsOf(l, image, window, outputPadding)
  const reach = axes.map((i) => dilations[i]! * (kernel[i]! - 1))
  const around = [
    ...axes.map((i) => reach[i]! - begin[i]!),
    ...axes.map((i) => reach[i]! - end[i]! + outputPadding[i]!),
  ]
  const wide = spread(o, image, strides)
  // Where more is taken off than the filter reaches, the image itself is cut.
  const cut = o.slice(
    wide,
    axes.map((i) => ({
      axis: 2 + i,
      start: Math.max(0, -around[i]!),
      end: wide.dims[2 + i]! - Math.max(0, -around[i + axes.length]!),
    })),
  )
  const sizes = {
    kernel,
    strides: axes.map(() => 1),
    pads: around.map((amount) => Math.max(0, amount)),
    dilations,
    group,
  }
  const filter = turned(o, weights, image.dims[1]!, group)
  const result = isVolume ? convolveVolume(o, cut, filter, sizes) : convolve(o, cut, filter, sizes)
  if (result.dims[0] !== image.dims[0]) refuse("its sizes do not fit together", "export the model again")
  const biased = withBias(o, result, l.inputs[2])
  return isVolume ? biased : fromImage(o, biased, x.dims.length)
}

/** A number an axis, of a list that may lack the first. */
function along(axes: readonly number[], list: readonly number[]): number[] {
  return axes.map((i) => list[i - (axes.length - list.length)] ?? 0)
}

/** What is taken off at the beginning and the end of each axis. */
function padsOf(
  l: Lowering,
  image: Value,
  { kernel, strides, dilations, pads }: Sizes,
  outputPadding: readonly number[],
): { begin: number[]; end: number[] } {
  const axes = [...outputPadding.keys()]
  const auto = text(l, "auto_pad", "NOTSET")
  const spatial = input(l, 0).dims.length - 2
  const shape = along(axes, (ints(l, "output_shape") ?? []).slice(-spatial))
  const [begin, end] = [pads.slice(0, axes.length), pads.slice(axes.length)]
  for (const i of axes) {
    const size = image.dims[2 + i]!
    const full = strides[i]! * (size - 1) + outputPadding[i]! + (kernel[i]! - 1) * dilations[i]! + 1
    const wanted = shape[i] || (auto.startsWith("SAME") ? size * strides[i]! : 0)
    if (wanted === 0) continue
    const total = Math.max(0, full - wanted)
    const half = Math.floor(total / 2)
    ;[begin[i], end[i]] = auto === "SAME_UPPER" ? [half, total - half] : [total - half, half]
  }
  return { begin, end }
}

/** With as many zeros between two elements of an axis as its stride is more than one. */
function spread(o: Ops, image: Value, strides: readonly number[]): Value {
  return strides.reduce((x, step, i) => {
    if (step === 1) return x
    const axis = 2 + i
    const dims = [...x.dims]
    const size = dims[axis]!
    const apart = o.reshape(x, [...dims.slice(0, axis + 1), 1, ...dims.slice(axis + 1)])
    const zeros = apart.dims.map(() => 0)
    const padded = o.pad(
      apart,
      zeros,
      zeros.map((_, d) => (d === axis + 1 ? step - 1 : 0)),
      o.scalar(0),
    )
    const flat = o.reshape(
      padded,
      dims.map((dim, d) => (d === axis ? size * step : dim)),
    )
    return o.range(flat, axis, 0, (size - 1) * step + 1)
  }, image)
}

/** Weights (channels, filters of a group, ...) as those of a convolution, each of its axes reversed. */
function turned(o: Ops, weights: Value, channels: number, group: number): Value {
  const [perGroup, ...kernel] = weights.dims.slice(1) as [number, ...number[]]
  const grouped = o.reshape(weights, [group, channels / group, perGroup, ...kernel])
  const swapped = o.transpose(grouped, [0, 2, 1, ...kernel.map((_, i) => 3 + i)])
  return o.slice(
    o.reshape(swapped, [group * perGroup, channels / group, ...kernel]),
    kernel.map((size, i) => ({ axis: 2 + i, start: size - 1, end: -size - 1, step: -1 })),
  )
}
