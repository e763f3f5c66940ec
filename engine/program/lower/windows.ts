import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { int, ints, type Lowering, product, refuse, text } from "./lowering.ts"

/** Windows that slide over (N, C, H, W). Positions in one dimension are a row of an image. */

export type Sizes = {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly pads: readonly number[]
  readonly dilations: readonly number[]
}
export type ConvSizes = Sizes & { readonly group: number }

/** (N, C, L) as (N, C, 1, L). */
export function asImage(o: Ops, x: Value): Value {
  if (x.dims.length === 4) return x
  if (x.dims.length !== 3)
    return refuse(`it slides over ${x.dims.length - 2} dimensions`, "use windows of one or two dimensions")
  return o.reshape(x, [x.dims[0]!, x.dims[1]!, 1, x.dims[2]!])
}

export function fromImage(o: Ops, x: Value, rank: number): Value {
  return rank === 4 ? x : o.reshape(x, [x.dims[0]!, x.dims[1]!, x.dims[3]!])
}

/** The window's sizes written out, for two dimensions or three, with automatic and rounded-up padding resolved. */
export function windowOf(l: Lowering, image: Value, filter?: readonly number[]): Sizes {
  const rank = image.dims.length - 2
  const axes = Array.from({ length: rank }, (_, i) => i)
  const flat = (name: string, otherwise: number): number[] => {
    const given = ints(l, name)
    if (!given || given.length === 0) return axes.map(() => otherwise)
    return given.length < rank ? [otherwise, ...given] : [...given]
  }
  const kernel = filter ?? flat("kernel_shape", 1)
  const strides = flat("strides", 1)
  const dilations = flat("dilations", 1)
  const given = ints(l, "pads") ?? []
  const half = given.length / 2
  const pads = [given.slice(0, half), given.slice(half)].flatMap((side) =>
    axes.map((i) => side[i - (rank - half)] ?? 0),
  )
  const auto = text(l, "auto_pad", "NOTSET")
  const ceil = int(l, "ceil_mode", 0) === 1
  for (const i of axes) {
    const size = image.dims[2 + i]!
    const span = dilations[i]! * (kernel[i]! - 1) + 1
    if (auto === "VALID") [pads[i], pads[i + rank]] = [0, 0]
    else if (auto.startsWith("SAME")) {
      const total = Math.max(0, (Math.ceil(size / strides[i]!) - 1) * strides[i]! + span - size)
      const less = Math.floor(total / 2)
      ;[pads[i], pads[i + rank]] = auto === "SAME_UPPER" ? [less, total - less] : [total - less, less]
    } else if (ceil) {
      let out = Math.ceil((size + pads[i]! + pads[i + rank]! - span) / strides[i]!) + 1
      // A window that would begin in the padding at the end is none.
      if ((out - 1) * strides[i]! >= size + pads[i]!) out--
      pads[i + rank] = Math.max(0, (out - 1) * strides[i]! + span - size - pads[i]!)
    }
  }
  return { kernel, strides, pads, dilations }
}

export function outputSize({ kernel, strides, pads, dilations }: Sizes, image: Value): [number, number] {
  const [h, w] = [0, 1].map(
    (i) =>
      Math.floor((image.dims[2 + i]! + pads[i]! + pads[i + 2]! - dilations[i]! * (kernel[i]! - 1) - 1) / strides[i]!) +
      1,
  )
  return [h!, w!]
}

/** A convolution without bias; one filter a group, or one position, has a kernel of its own in onnxruntime: two have not. */
export function convolve(o: Ops, x: Value, w: Value, sizes: ConvSizes): Value {
  const { strides, pads, group } = sizes
  const filters = w.dims[0]!
  if (filters === group) {
    const twice = o.reshape(
      o.concat([o.reshape(w, [filters, 1, ...w.dims.slice(1)]), o.reshape(w, [filters, 1, ...w.dims.slice(1)])], 1),
      [2 * filters, ...w.dims.slice(1)],
    )
    return o.slice(convolve(o, x, twice, sizes), [{ axis: 1, start: 0, end: 2 * filters, step: 2 }])
  }
  if (product(outputSize(sizes, x)) === 1) {
    const wider = { ...sizes, pads: [pads[0]!, pads[1]!, pads[2]!, pads[3]! + strides[1]!] }
    return o.range(convolve(o, x, w, wider), 3, 0, 1)
  }
  return o.emit("Conv", [x, w], { kernel_shape: sizes.kernel, strides, pads, dilations: sizes.dilations, group })
}

export function withBias(o: Ops, x: Value, bias: Value | undefined): Value {
  return bias ? o.add(x, o.reshape(bias, [1, bias.dims[0]!, ...x.dims.slice(2).map(() => 1)])) : x
}

/** A mean is a convolution of each channel with equal weights. */
export function averagePool(o: Ops, image: Value, sizes: Sizes, countPads: boolean): Value {
  const [n, c, h, w] = image.dims as [number, number, number, number]
  const [rows, columns] = outputSize(sizes, image)
  const { kernel, strides, pads, dilations } = sizes
  const counts = Array.from({ length: rows * columns }, (_, e) => {
    const inside = [Math.floor(e / columns), e % columns].map((at, i) => {
      const places = Array.from({ length: kernel[i]! }, (_, t) => at * strides[i]! - pads[i]! + t * dilations[i]!)
      // Padding counts, but not what rounding up added beyond it.
      return places.filter((place) => place >= 0 && place < image.dims[2 + i]!).length
    })
    return inside[0]! * inside[1]!
  })
  const area = product(kernel)
  const uniform = countPads || counts.every((count) => count === area)
  const weights = o.filled(uniform ? 1 / area : 1, [1, 1, ...kernel])
  const sums = convolve(o, o.reshape(image, [n * c, 1, h, w]), weights, { ...sizes, group: 1 })
  const result = o.reshape(sums, [n, c, rows, columns])
  return uniform ? result : o.div(result, o.vector(counts, [1, 1, rows, columns]))
}
