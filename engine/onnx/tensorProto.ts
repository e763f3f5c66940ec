import protobuf from "protobufjs/minimal.js"
import { bytesPerElement, dtypeOfOnnxNumber, elementCount, onnxNumberOf, type Tensor } from "#protocol"
import { plainBytes } from "../tensor/plainBytes.ts"
import type { OnnxTensor } from "./types.ts"
import { asBuffer, readBytes, readFields, readInts, readString, WireError } from "./wire.ts"

/** https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, message TensorProto. */
const FIELD = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  externalData: 13,
  dataLocation: 14,
} as const
const EXTERNAL = 1

/** Why a TensorProto has no tensor to give. */
export class TensorProtoError extends Error {
  override readonly name = "TensorProtoError"
}

/** The header of a TensorProto; the data stay where they are until `read` is called. */
export function readTensorProto(bytes: Uint8Array): OnnxTensor {
  const dims: number[] = []
  const chunks = new Map<number, Uint8Array[]>()
  let [name, elementType, external, segmented, strings] = ["", 0, false, false, 0]
  readFields(bytes, (field, wireType, reader) => {
    switch (field) {
      case FIELD.dims:
        return readInts(reader, wireType, dims)
      case FIELD.dataType:
        elementType = reader.int32()
        return
      case FIELD.name:
        name = readString(reader)
        return
      case FIELD.dataLocation:
        external ||= reader.int32() === EXTERNAL
        return
      case FIELD.externalData:
        external = true
        return
      case FIELD.segment:
        segmented = true
        return
      case FIELD.stringData:
        strings++
        return
      case FIELD.floatData:
      case FIELD.int32Data:
      case FIELD.int64Data:
      case FIELD.rawData:
      case FIELD.doubleData:
      case FIELD.uint64Data: {
        const start = reader.pos
        // Packed data are a view; an unpacked element (rare, old writers) is the span of its one value.
        if (wireType === 2) push(chunks, field, readBytes(reader))
        else {
          reader.skipType(wireType)
          push(chunks, field, bytes.subarray(start, reader.pos))
        }
      }
    }
  })
  if (dims.some((dim) => dim < 0)) throw new WireError(`tensor "${name}" has a negative dimension`, false)
  const encodedBytes = [...chunks.values()].flat().reduce((sum, chunk) => sum + chunk.byteLength, 0)
  const read = (): Tensor => {
    if (external) throw new TensorProtoError("its data live in another file")
    if (segmented) throw new TensorProtoError("it is one segment of a larger tensor")
    if (strings > 0 || elementType === 8) throw new TensorProtoError("it holds strings")
    return decode(elementType, dims, chunks)
  }
  return { name, elementType, dims, external, encodedBytes, read }
}

export function writeTensorProto(tensor: Tensor, name = ""): Uint8Array {
  const writer = protobuf.Writer.create()
  if (tensor.dims.length > 0) {
    writer.uint32((FIELD.dims << 3) | 2).fork()
    for (const dim of tensor.dims) writer.int64(dim)
    writer.ldelim()
  }
  writer.uint32((FIELD.dataType << 3) | 0).int32(onnxNumberOf(tensor.dtype))
  if (name) writer.uint32((FIELD.name << 3) | 2).string(name)
  writer.uint32((FIELD.rawData << 3) | 2).bytes(asBuffer(tensor.data))
  return writer.finish()
}

function push(chunks: Map<number, Uint8Array[]>, field: number, chunk: Uint8Array): void {
  const list = chunks.get(field)
  if (list) list.push(chunk)
  else chunks.set(field, [chunk])
}

function decode(elementType: number, dims: readonly number[], chunks: Map<number, Uint8Array[]>): Tensor {
  const dtype = dtypeOfOnnxNumber(elementType)
  if (!dtype) throw new TensorProtoError(`its element type ${elementType} is not one that Assay knows`)
  const count = elementCount(dims)
  const width = bytesPerElement(dtype)
  const [field, data] = joined(chunks)
  if (data.byteLength > 0 && field !== FIELD.rawData && field !== fieldFor(elementType))
    throw new TensorProtoError(`its ${dtype} data stand in the field of another type`)
  // float_data and double_data are little-endian on the wire already, like raw_data.
  const asIs = field === FIELD.rawData || field === FIELD.floatData || field === FIELD.doubleData
  const bytes = asIs ? data : fromVarints(data, width)
  if (bytes.byteLength !== count * width)
    throw new TensorProtoError(
      `it has ${bytes.byteLength} bytes where its shape [${dims}] of ${dtype} needs ${count * width}`,
    )
  return { dtype, dims: [...dims], data: plainBytes(bytes) }
}

function joined(chunks: Map<number, Uint8Array[]>): [number, Uint8Array] {
  const filled = [...chunks].filter(([, list]) => list.some((chunk) => chunk.byteLength > 0))
  if (filled.length > 1) throw new TensorProtoError("its data stand in two fields")
  const [field, list] = filled[0] ?? [FIELD.rawData, []]
  return [field, list.length === 1 ? list[0]! : Buffer.concat(list)]
}

/** The typed field that onnx.proto assigns to an element type. */
function fieldFor(elementType: number): number {
  switch (dtypeOfOnnxNumber(elementType)) {
    case "float32":
      return FIELD.floatData
    case "float64":
      return FIELD.doubleData
    case "int64":
      return FIELD.int64Data
    case "uint32":
    case "uint64":
      return FIELD.uint64Data
    default:
      return FIELD.int32Data
  }
}

/** Varints to little-endian integers of `width` bytes, low bits kept (negative int32 are ten-byte varints). */
function fromVarints(data: Uint8Array, width: number): Uint8Array {
  const out: bigint[] = []
  let [value, shift] = [0n, 0n]
  for (const byte of data) {
    value |= BigInt(byte & 0x7f) << shift
    shift += 7n
    if (byte & 0x80) {
      if (shift > 63n) throw new TensorProtoError("it has a number of more than 64 bits")
      continue
    }
    out.push(value)
    ;[value, shift] = [0n, 0n]
  }
  if (shift > 0n) throw new TensorProtoError("it ends inside a number")
  const bytes = new Uint8Array(out.length * width)
  const view = new DataView(bytes.buffer)
  out.forEach((element, i) => {
    if (width === 8) view.setBigUint64(i * 8, BigInt.asUintN(64, element), true)
    else if (width === 4) view.setUint32(i * 4, Number(BigInt.asUintN(32, element)), true)
    else if (width === 2) view.setUint16(i * 2, Number(BigInt.asUintN(16, element)), true)
    else view.setUint8(i, Number(BigInt.asUintN(8, element)))
  })
  return bytes
}
