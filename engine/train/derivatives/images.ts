import type { Value } from "../../program/builder.ts"
import { FLOAT_MAX } from "../../program/elements.ts"
import { type ConvSizes, convolve } from "../../program/lower/windows.ts"
import type { Ops } from "../../program/ops.ts"
import { type Derivative, pair } from "./derivative.ts"
import { dropWhere } from "./elementwise.ts"
import { dilated, placed } from "./views.ts"

/** Windows over images (N, C, H, W). */
export const images: Readonly<Record<string, Derivative>> = {
  Conv: ({ o, node, gradient }) => {
    const [x, w] = pair(node)
    const { kernel_shape: kernel, strides, pads, dilations, group } = node.attributes as unknown as Window
    const sizes = { kernel, strides, pads, dilations, group }
    return [
      { to: x, of: () => byImage(o, x, w, gradient, sizes) },
      { to: w, of: () => byFilters(o, x, w, gradient, sizes) },
    ]
  },
  MaxPool: ({ o, node, value, gradient }) => {
    const [x] = pair(node)
    return [{ to: x, of: () => byPooled(o, x, value, gradient, node.attributes as unknown as Window) }]
  },
}

type Window = Omit<ConvSizes, "kernel"> & { readonly kernel_shape: readonly number[] }

/** The gradient with zeros between its points, under the filters turned around: a transposed convolution. */
function byImage(o: Ops, x: Value, w: Value, gradient: Value, sizes: ConvSizes): Value {
  const { kernel, strides, pads, dilations, group } = sizes
  const [filters, perGroup] = w.dims as [number, number]
  const spread = [0, 1].reduce((image, i) => dilated(o, image, 2 + i, strides[i]!), gradient)
  const grouped = o.reshape(w, [group, filters / group, perGroup, ...kernel])
  const turned = o.slice(
    o.reshape(o.transpose(grouped, [0, 2, 1, 3, 4]), [group * perGroup, filters / group, ...kernel]),
    [0, 1]
      .map((i) => ({ axis: 2 + i, start: kernel[i]! - 1, end: -kernel[i]! - 1, step: -1 }))
      .filter(({ start }) => start > 0),
  )
  const before = [0, 1].map((i) => dilations[i]! * (kernel[i]! - 1) - pads[i]!)
  // What strides left over at the end gets no gradient but has a place.
  const after = [0, 1].map((i) => x.dims[2 + i]! + dilations[i]! * (kernel[i]! - 1) - before[i]! - spread.dims[2 + i]!)
  const cut = o.slice(
    spread,
    [0, 1].map((i) => ({
      axis: 2 + i,
      start: Math.max(0, -before[i]!),
      end: spread.dims[2 + i]! - Math.max(0, -after[i]!),
    })),
  )
  return convolve(o, cut, turned, {
    kernel,
    strides: [1, 1],
    pads: [...before, ...after].map((amount) => Math.max(0, amount)),
    dilations,
    group,
  })
}

/** Images and gradient with channels as the batch: each filter's weights are a correlation of the two. */
function byFilters(o: Ops, x: Value, w: Value, gradient: Value, sizes: ConvSizes): Value {
  const { group } = sizes
  const [filters, perGroup] = w.dims as [number, number]
  const parts = Array.from({ length: group }, (_, g) => {
    const channels = o.range(x, 1, g * perGroup, (g + 1) * perGroup)
    const slopes = o.range(gradient, 1, (g * filters) / group, ((g + 1) * filters) / group)
    return correlation(o, channels, slopes, sizes)
  })
  return o.concat(parts, 0)
}

function correlation(o: Ops, x: Value, gradient: Value, { kernel, strides, pads, dilations }: ConvSizes): Value {
  const swap = (value: Value) => o.transpose(value, [1, 0, 2, 3])
  const result = convolve(o, swap(x), swap(gradient), {
    kernel: gradient.dims.slice(2),
    strides: dilations,
    pads,
    dilations: strides,
    group: 1,
  }) // (channels, filters, at least kernel)
  return swap(
    o.slice(
      result,
      kernel.map((size, i) => ({ axis: 2 + i, start: 0, end: size })),
    ),
  )
}

/** To the first place of each window that holds its greatest element, place by place of the window. */
function byPooled(o: Ops, x: Value, value: Value, gradient: Value, window: Window): Value {
  const { kernel_shape: kernel, strides, pads, dilations } = window
  const sizes = [0, 1].map((i) => x.dims[2 + i]! + pads[i]! + pads[i + 2]!)
  // Pads never win: they are below every float that orderly operands hold, or equal to the least.
  const around = [0, 1].reduce((image, i) => paddedWith(o, image, 2 + i, pads[i]!, pads[i + 2]!), x)
  let free: Value | undefined
  let sum: Value | undefined
  for (let place = 0; place < kernel[0]! * kernel[1]!; place++) {
    const at = [Math.floor(place / kernel[1]!), place % kernel[1]!]
    const starts = [0, 1].map((i) => at[i]! * dilations[i]!)
    const seen = o.slice(
      around,
      [0, 1].map((i) => ({
        axis: 2 + i,
        start: starts[i]!,
        end: starts[i]! + (value.dims[2 + i]! - 1) * strides[i]! + 1,
        step: strides[i]!,
      })),
    )
    const equal = o.compare("Equal", seen, value)
    const first: Value = free ? o.logic("And", equal, free) : equal
    const rest: Value = o.not(equal)
    free = free ? o.logic("And", free, rest) : rest
    const part = dropWhere(o, o.not(first), gradient)
    const spread = [0, 1].reduce((image, i) => placed(o, image, 2 + i, sizes[i]!, starts[i]!, strides[i]!), part)
    sum = sum ? o.add(sum, spread) : spread
  }
  return o.slice(
    sum!,
    [0, 1].map((i) => ({ axis: 2 + i, start: pads[i]!, end: pads[i]! + x.dims[2 + i]! })),
  )
}

function paddedWith(o: Ops, x: Value, axis: number, before: number, after: number): Value {
  if (before === 0 && after === 0) return x
  const at = (amount: number) => x.dims.map((_, i) => (i === axis ? amount : 0))
  return o.pad(x, at(before), at(after), o.scalar(-FLOAT_MAX))
}
