import { Tensor as OrtTensor } from "onnxruntime-node"
import { bytesPerElement, isDtype, type Tensor, tensorByteLength } from "#protocol"
import { engineError } from "../errors.ts"

/** Between raw bytes and onnxruntime's typed tensors; both sides of the wire are little-endian machines. */

type TypedArray = new (buffer: ArrayBuffer, byteOffset: number, length: number) => OrtTensor["data"]

// Node 24 has Float16Array; onnxruntime-common then insists on it, but onnxruntime-node 1.30 cannot read it ("not
// enough space"). Without it the bits travel as Uint16Array. This module runs in the computing process alone.
Reflect.deleteProperty(globalThis, "Float16Array")

const ARRAYS: Record<string, TypedArray> = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
} as unknown as Record<string, TypedArray>

export function toOrt(tensor: Tensor, name: string): OrtTensor {
  const Typed = ARRAYS[tensor.dtype]
  if (!Typed)
    throw engineError(
      "E_INPUT_DTYPE",
      `input "${name}" is ${tensor.dtype}, which onnxruntime's Node binding cannot pass`,
      { input: name },
    )
  if (tensor.data.byteLength !== tensorByteLength(tensor))
    throw engineError(
      "E_INPUT_SHAPE",
      `input "${name}" has ${tensor.data.byteLength} bytes where its shape [${tensor.dims}] makes ${tensorByteLength(tensor)}`,
      { input: name },
    )
  // Any other byte in a C++ bool is undefined behaviour: honest machines could differ over it.
  if (tensor.dtype === "bool" && tensor.data.some((byte) => byte > 1))
    throw engineError("E_INPUT_FORMAT", `input "${name}" is bool but holds bytes other than 0 and 1`, { input: name })
  const width = bytesPerElement(tensor.dtype)
  // A message's payload starts anywhere; typed arrays must be aligned.
  const data = tensor.data.byteOffset % width === 0 ? tensor.data : new Uint8Array(tensor.data)
  const typed = new Typed(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / width)
  return new OrtTensor(tensor.dtype as "float32", typed as Float32Array, tensor.dims)
}

export function fromOrt(tensor: OrtTensor, name: string): Tensor {
  if (!isDtype(tensor.type))
    throw engineError("E_MODEL_DTYPE", `output "${name}" is ${tensor.type}; only numbers can be committed to`)
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array
  return { dtype: tensor.type, dims: [...tensor.dims], data: new Uint8Array(buffer, byteOffset, byteLength) }
}
