import { type Dtype, elementCount } from "#protocol"
import type { Value } from "../builder.ts"
import { elementsOf, numbersOf, tensorOf } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { axisOf, constantOf, input, int, type Lower, type Lowering, refuse, uniform } from "./lowering.ts"
import { asImage, fromImage, windowOf } from "./windows.ts"

/** Integer models: products of bytes, and the steps between bytes and numbers. */

export const quantized: Readonly<Record<string, Lower>> = {
  QuantizeLinear: (l) => {
    const { o } = l
    const x = input(l, 0)
    const zero = l.inputs[2] ?? o.number("uint8", 0)
    const [scale, offset] = [input(l, 1), zero].map((value) => alongAxis(l, value, x)) as [Value, Value]
    return [quantize(o, o.cast(x, "float32"), scale, offset)]
  },
  DequantizeLinear: (l) => {
    const x = input(l, 0)
    const zero = l.inputs[2] && alongAxis(l, l.inputs[2], x)
    return [dequantize(l.o, x, alongAxis(l, input(l, 1), x), zero)]
  },
  DynamicQuantizeLinear: (l) => {
    const { o } = l
    const x = input(l, 0)
    const flat = o.reshape(x, [1, elementCount(x.dims)])
    const zero = o.scalar(0)
    const high = o.atLeast(o.extremeLast("ReduceMax", flat, 0), zero)
    const low = o.atMost(o.extremeLast("ReduceMin", flat, 0), zero)
    const scale = o.reshape(o.div(o.sub(high, low), o.scalar(255)), [])
    const point = o.reshape(quantize(o, o.neg(o.reshape(low, [])), scale, o.number("uint8", 0)), [])
    return [quantize(o, x, scale, point), scale, point]
  },
  MatMulInteger: (l) => {
    const [a, b] = [input(l, 0), input(l, 1)]
    return [integerProduct(l.o, bytes(l.o, a, l.inputs[2]), bytes(l.o, b, l.inputs[3]))]
  },
  QLinearMatMul: (l) => {
    const { o } = l
    const [a, b] = [bytes(o, input(l, 0), input(l, 2)), bytes(o, input(l, 3), input(l, 5))]
    const scale = o.div(o.mul(row(o, input(l, 1)), row(o, input(l, 4))), row(o, input(l, 6)))
    return [requantize(o, integerProduct(o, a, b), scale, row(o, input(l, 7)))]
  },
  ConvInteger: (l) => {
    const { o } = l
    const [x, w] = [input(l, 0), input(l, 1)]
    return [integerConv(l, bytes(o, x, l.inputs[2]), bytes(o, w, l.inputs[3]), x.dims.length)]
  },
  QLinearConv: (l) => {
    const { o } = l
    const [x, w] = [input(l, 0), input(l, 3)]
    const sums = integerConv(l, bytes(o, x, input(l, 2)), bytes(o, w, input(l, 5)), x.dims.length)
    const channel = (value: Value) =>
      elementCount(value.dims) === 1
        ? o.reshape(value, [])
        : o.reshape(value, [elementCount(value.dims), ...x.dims.slice(2).map(() => 1)])
    const biased = l.inputs[8] ? o.add(sums, channel(l.inputs[8])) : sums
    const scale = o.div(o.mul(o.reshape(input(l, 1), []), channel(input(l, 4))), o.reshape(input(l, 6), []))
    return [requantize(o, biased, scale, o.reshape(input(l, 7), []))]
  },
}

/** A byte tensor and the number that stands for 0: unsigned, since signed products saturate on some processors. */
type Bytes = { readonly value: Value; readonly zero: Value }

function bytes(o: Ops, value: Value, point: Value | undefined): Bytes {
  const zero = point ?? o.number(value.dtype, 0)
  if (value.dtype === "uint8") return { value, zero }
  if (value.dtype !== "int8") return refuse(`it multiplies ${value.dtype}`, "quantize to 8 bits")
  return { value: raise(o, value), zero: raise(o, zero) }
}

/** int8 as uint8, 128 higher: the difference to the zero point stays. */
function raise(o: Ops, value: Value): Value {
  return o.cast(o.add(o.cast(value, "int32"), o.number("int32", 128)), "uint8")
}

function row(o: Ops, value: Value): Value {
  return elementCount(value.dims) === 1 ? o.reshape(value, []) : value
}

/** The zero point as one constant, or undefined where it is computed or differs from column to column. */
function fixedPoint(zero: Value): number | undefined {
  return uniform(zero)
}

function pointTensor(o: Ops, value: number): Value {
  return o.constant(tensorOf("uint8", [], Uint8Array.of(value)))
}

/**
 * sum (a - za)(b - zb). A zero point that is no single constant is taken out of the product:
 * sum (a - 0)(b - zb) - za * sum (b - zb).
 */
function integerProduct(o: Ops, a: Bytes, b: Bytes): Value {
  const [pa, pb] = [fixedPoint(a.zero), fixedPoint(b.zero)]
  const second = b.value.constant ? b.value : o.fromRows(b.value)
  const multiply = (x: Value, y: Value, zx: number, zy: number) =>
    o.emit("MatMulInteger", [x, y, pointTensor(o, zx), pointTensor(o, zy)])
  const product = multiply(a.value, second, pa ?? 0, pb ?? 0)
  const ones = (dims: readonly number[]) =>
    o.constant(tensorOf("uint8", dims, new Uint8Array(elementCount(dims)).fill(1)))
  const [m, k] = a.value.dims.slice(-2) as [number, number]
  const n = b.value.dims.at(-1)!
  let result = product
  if (pa === undefined) {
    const columns = multiply(ones([1, k]), second, 0, pb ?? 0)
    const zero = o.cast(a.zero, "int32")
    const lifted = elementCount(a.zero.dims) === 1 ? o.reshape(zero, []) : o.reshape(zero, [m, 1])
    result = o.sub(result, o.mul(lifted, columns))
  }
  if (pb === undefined) {
    // (a - za) is already in the sums of columns when both are taken out: za * zb * k comes back.
    const rows = multiply(a.value, ones([k, 1]), pa ?? 0, 0)
    const zero = o.cast(b.zero, "int32")
    const lifted = elementCount(b.zero.dims) === 1 ? o.reshape(zero, []) : o.reshape(zero, [1, n])
    const whole =
      pa === undefined
        ? o.sub(
            rows,
            o.mul(
              o.reshape(o.cast(a.zero, "int32"), elementCount(a.zero.dims) === 1 ? [] : [m, 1]),
              o.number("int32", k),
            ),
          )
        : rows
    result = o.sub(result, o.mul(whole, lifted))
  }
  return result
}

function integerConv(l: Lowering, x: Bytes, w: Bytes, rank: number): Value {
  const { o } = l
  const image = asImage(o, x.value)
  const filters = asImage(o, w.value)
  const { kernel, strides, pads, dilations } = windowOf(l, image, filters.dims.slice(2))
  const [px, pw] = [fixedPoint(x.zero), fixedPoint(w.zero)]
  if (px === undefined) refuse("its zero point is computed", "quantize activations with constant zero points")
  const attributes = { kernel_shape: kernel, strides, pads, dilations, group: int(l, "group", 1) }
  if (pw !== undefined)
    return fromImage(
      o,
      o.emit("ConvInteger", [image, filters, pointTensor(o, px), pointTensor(o, pw)], attributes),
      rank,
    )
  // A zero point a filter: moved into filters that share one, where the bytes have room for it.
  const points = numbersOf(constantOf(w.zero, "zero point"))
  const values = elementsOf(constantOf(w.value, "filters")) as Uint8Array
  const perFilter = values.length / points.length
  const moved = values.map((value, i) => {
    const shifted = value - points[Math.floor(i / perFilter)]! + 128
    if (shifted < 0 || shifted > 255)
      refuse("its filters have zero points too far apart", "quantize filters symmetrically")
    return shifted
  })
  const centered = o.constant(tensorOf("uint8", filters.dims, moved))
  return fromImage(
    o,
    o.emit("ConvInteger", [image, centered, pointTensor(o, px), pointTensor(o, 128)], attributes),
    rank,
  )
}

/** A scale or zero point for each place along an axis, shaped to meet x. */
function alongAxis(l: Lowering, value: Value, x: Value): Value {
  const count = elementCount(value.dims)
  if (int(l, "block_size", 0) !== 0) refuse("it has scales for blocks", "quantize by tensor or by channel")
  if (count === 1) return l.o.reshape(value, [])
  const axis = axisOf(int(l, "axis", 1), x.dims.length)
  return l.o.reshape(value, [count, ...x.dims.slice(axis + 1).map(() => 1)])
}

const RANGES: Partial<Record<Dtype, readonly [number, number]>> = { uint8: [0, 255], int8: [-128, 127] }

/** Sums of products as bytes again; `scale` is that of the sums over that of the bytes. */
function requantize(o: Ops, sums: Value, scale: Value, zero: Value): Value {
  return quantize(o, o.mul(o.cast(sums, "float32"), scale), o.scalar(1), zero)
}

/**
 * x / scale, rounded to even, moved by the zero point, cut off at the ends of the type. One operation where scale and
 * zero point are one constant each; written out where they are not.
 */
function quantize(o: Ops, x: Value, scale: Value, zero: Value): Value {
  const range = RANGES[zero.dtype] ?? refuse(`it quantizes to ${zero.dtype}`, "quantize to 8 bits")
  const [step, point] = [uniform(scale), uniform(zero)]
  if (point !== undefined && (step === undefined || step > 0)) {
    const [steps, one] = step === undefined ? [o.div(x, scale), 1] : [x, step]
    return o.emit("QuantizeLinear", [o.orderly(steps, { zeros: false }), o.scalar(one), o.number(zero.dtype, point)])
  }
  const moved = o.add(o.round(o.div(x, scale)), o.cast(zero, "float32"))
  const low = range[0] === 0 ? o.relu(moved) : moved
  return o.cast(o.clamp(low, range[0], range[1]), zero.dtype)
}

function dequantize(o: Ops, x: Value, scale: Value, zero: Value | undefined): Value {
  const centered =
    zero && uniform(zero) !== 0 ? o.sub(o.cast(x, "float32"), o.cast(zero, "float32")) : o.cast(x, "float32")
  return o.mul(centered, scale)
}
