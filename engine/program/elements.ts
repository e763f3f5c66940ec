import { bytesPerElement, type Dtype, elementCount, type Tensor } from "#protocol"

export type Elements =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array
  | Uint32Array
  | BigUint64Array
  | Uint16Array
  | Int16Array

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  uint16: Uint16Array,
  int16: Int16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
} as const

/** A tensor's bytes as numbers, without a copy where they are aligned. The 16-bit floats come as their bits. */
export function elementsOf({ dtype, data }: Pick<Tensor, "dtype" | "data">): Elements {
  const width = bytesPerElement(dtype)
  const aligned = data.byteOffset % width === 0 ? data : new Uint8Array(data)
  return new ARRAYS[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / width)
}

export function newElements(dtype: Dtype, dims: readonly number[]): Elements {
  return new ARRAYS[dtype](elementCount(dims))
}

export function tensorOf(dtype: Dtype, dims: readonly number[], elements: Elements): Tensor {
  return { dtype, dims: [...dims], data: new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength) }
}

/** The greatest finite float32. */
export const FLOAT_MAX = 3.4028234663852886e38

/** A float32 tensor out of plain numbers. */
export function floats(dims: readonly number[], values: ArrayLike<number>): Tensor {
  return tensorOf("float32", dims, Float32Array.from(values))
}

/** An int64 tensor of rank 1, as shapes and axes are given. */
export function int64s(values: readonly (number | bigint)[], dims: readonly number[] = [values.length]): Tensor {
  return tensorOf("int64", dims, BigInt64Array.from(values, BigInt))
}

/** The elements as plain numbers; integers beyond 2^53 lose their last bits. */
export function numbersOf(tensor: Pick<Tensor, "dtype" | "data">): number[] {
  const elements = elementsOf(tensor)
  return Array.from({ length: elements.length }, (_, i) => Number(elements[i]))
}
