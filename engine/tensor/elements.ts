import { bytesPerElement, type Dtype, type Tensor } from "#protocol"

/** Between numbers and the little-endian bytes of a tensor. Integers of 64 bits are bigint, all else is number. */

/** Inclusive bounds of the integer types; a value beyond them has no bytes. */
const RANGES: Partial<Record<Dtype, readonly [bigint, bigint]>> = {
  uint8: [0n, 255n],
  int8: [-128n, 127n],
  uint16: [0n, 65_535n],
  int16: [-32_768n, 32_767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  bool: [0n, 1n],
}

/** Whether a number can be an element of that type as it stands: no fraction for integers, inside the range. */
export function fits(dtype: Dtype, value: number | bigint): boolean {
  const range = RANGES[dtype]
  if (!range) return typeof value === "number"
  if (typeof value === "number" && !Number.isInteger(value)) return false
  const exact = BigInt(value)
  return exact >= range[0] && exact <= range[1]
}

export function encodeElements(dtype: Dtype, values: readonly (number | bigint)[]): Uint8Array {
  const width = bytesPerElement(dtype)
  const bytes = new Uint8Array(values.length * width)
  const view = new DataView(bytes.buffer)
  const write = WRITERS[dtype]
  values.forEach((value, i) => {
    write(view, i * width, value)
  })
  return bytes
}

export function decodeElements(tensor: Tensor): (number | bigint)[] {
  const { dtype, data } = tensor
  const width = bytesPerElement(dtype)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return Array.from({ length: data.byteLength / width }, (_, i) => readElement(view, dtype, i * width))
}

const WRITERS: Record<Dtype, (view: DataView, at: number, value: number | bigint) => void> = {
  float32: (view, at, value) => view.setFloat32(at, Number(value), true),
  float64: (view, at, value) => view.setFloat64(at, Number(value), true),
  float16: (view, at, value) => view.setUint16(at, float16Bits(Number(value)), true),
  bfloat16: (view, at, value) => view.setUint16(at, bfloat16Bits(Number(value)), true),
  int64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  uint64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  int32: (view, at, value) => view.setInt32(at, Number(value), true),
  uint32: (view, at, value) => view.setUint32(at, Number(value), true),
  int16: (view, at, value) => view.setInt16(at, Number(value), true),
  uint16: (view, at, value) => view.setUint16(at, Number(value), true),
  int8: (view, at, value) => view.setInt8(at, Number(value)),
  uint8: (view, at, value) => view.setUint8(at, Number(value)),
  bool: (view, at, value) => view.setUint8(at, Number(value)),
}

function readElement(view: DataView, dtype: Dtype, at: number): number | bigint {
  switch (dtype) {
    case "float32":
      return view.getFloat32(at, true)
    case "float64":
      return view.getFloat64(at, true)
    case "float16":
      return float16Value(view.getUint16(at, true))
    case "bfloat16":
      return bitsToFloat(view.getUint16(at, true) << 16)
    case "int64":
      return view.getBigInt64(at, true)
    case "uint64":
      return view.getBigUint64(at, true)
    case "int32":
      return view.getInt32(at, true)
    case "uint32":
      return view.getUint32(at, true)
    case "int16":
      return view.getInt16(at, true)
    case "uint16":
      return view.getUint16(at, true)
    case "int8":
      return view.getInt8(at)
    default:
      return view.getUint8(at)
  }
}

const scratch = new DataView(new ArrayBuffer(8))

function floatToBits(value: number): number {
  scratch.setFloat32(0, value)
  return scratch.getUint32(0)
}

function bitsToFloat(bits: number): number {
  scratch.setUint32(0, bits >>> 0)
  return scratch.getFloat32(0)
}

function bfloat16Bits(value: number): number {
  const bits = floatToBits(value)
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40 // stays a NaN when its low half goes
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16 // to nearest, ties to even
}

/** Round to nearest, ties to even; DataView.setFloat16 exists only from Node 24 on. */
function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (size >= 65_520) return sign | 0x7c00
  const exponent = Math.max(Math.floor(Math.log2(size || Number.MIN_VALUE)), -14)
  // The smallest step at this exponent has ten bits below it; carries run into the exponent by themselves.
  const steps = roundToEven(size / 2 ** (exponent - 10))
  return sign | (size < 2 ** -14 ? steps : ((exponent + 15) << 10) + (steps - 1024))
}

function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

function roundToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}
