/**
 * A tensor as it is committed to, stored and sent: raw little-endian bytes with a name for the element type.
 * Element types carry ONNX's names and numbers (TensorProto.DataType), since R6 hashes the number.
 */

/** https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, TensorProto.DataType. Strings (8) are refused by R6. */
const ONNX_NUMBERS = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const

const BYTES_PER_ELEMENT: Record<Dtype, number> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
  float64: 8,
  uint32: 4,
  uint64: 8,
  bfloat16: 2,
}

export type Dtype = keyof typeof ONNX_NUMBERS

export type Tensor = {
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** Little-endian, row-major, exactly `elementCount(dims) * bytesPerElement(dtype)` long. */
  readonly data: Uint8Array
}

export const DTYPES = Object.keys(ONNX_NUMBERS) as readonly Dtype[]

const BY_NUMBER = new Map<number, Dtype>(DTYPES.map((dtype) => [ONNX_NUMBERS[dtype], dtype]))

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(ONNX_NUMBERS, name)
}

export function onnxNumberOf(dtype: Dtype): number {
  return ONNX_NUMBERS[dtype]
}

/** The element type with that ONNX number, or undefined: strings, complex numbers and 4- and 8-bit floats have none. */
export function dtypeOfOnnxNumber(number: number): Dtype | undefined {
  return BY_NUMBER.get(number)
}

export function bytesPerElement(dtype: Dtype): number {
  return BYTES_PER_ELEMENT[dtype]
}

/** 1 for a scalar (no dimensions), 0 as soon as one dimension is 0. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

export function tensorByteLength(tensor: Pick<Tensor, "dtype" | "dims">): number {
  return elementCount(tensor.dims) * bytesPerElement(tensor.dtype)
}
