import { bytesPerElement, type Dtype, elementCount, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { plainBytes } from "./plainBytes.ts"

/** NumPy's file format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] // \x93NUMPY
const MAX_HEADER_BYTES = 64 * 1024

/** Without byte order. NumPy knows no bfloat16: extensions store it as raw two-byte elements. */
const DESCRIPTIONS: Record<Dtype, string> = {
  float32: "f4",
  uint8: "u1",
  int8: "i1",
  uint16: "u2",
  int16: "i2",
  int32: "i4",
  int64: "i8",
  bool: "b1",
  float16: "f2",
  float64: "f8",
  uint32: "u4",
  uint64: "u8",
  bfloat16: "V2",
}
const DTYPE_BY_DESCRIPTION = new Map(Object.entries(DESCRIPTIONS).map(([dtype, text]) => [text, dtype as Dtype]))

export function encodeNpy(tensor: Tensor): Uint8Array {
  const order = bytesPerElement(tensor.dtype) === 1 ? "|" : "<"
  const shape = tensor.dims.length === 1 ? `(${tensor.dims[0]},)` : `(${tensor.dims.join(", ")})`
  const dict = `{'descr': '${order}${DESCRIPTIONS[tensor.dtype]}', 'fortran_order': False, 'shape': ${shape}, }`
  const headerBytes = Math.ceil((10 + dict.length + 1) / 64) * 64 // data begin at a multiple of 64, as NumPy writes
  const bytes = new Uint8Array(headerBytes + tensor.data.byteLength)
  bytes.set([...MAGIC, 1, 0])
  new DataView(bytes.buffer).setUint16(8, headerBytes - 10, true)
  bytes.set(new TextEncoder().encode(`${dict.padEnd(headerBytes - 11)}\n`), 10)
  bytes.set(tensor.data, headerBytes)
  return bytes
}

export function decodeNpy(bytes: Uint8Array): Tensor {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed("it does not begin with \\x93NUMPY")
  const major = bytes[6] ?? 0
  const start = major === 1 ? 10 : 12
  if (major < 1 || major > 3 || bytes.byteLength < start) throw malformed(`its version ${major} is unknown`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headerBytes = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (headerBytes > MAX_HEADER_BYTES) throw malformed("its header is too long")
  if (start + headerBytes > bytes.byteLength) throw truncated(start + headerBytes, bytes.byteLength)
  const { dtype, bigEndian, fortran, dims } = parseHeader(
    new TextDecoder("latin1").decode(bytes.subarray(start, start + headerBytes)),
  )
  const width = bytesPerElement(dtype)
  const dataStart = start + headerBytes
  const expected = dataStart + elementCount(dims) * width
  if (bytes.byteLength < expected) throw truncated(expected, bytes.byteLength)
  if (bytes.byteLength > expected) throw malformed(`${bytes.byteLength - expected} bytes follow its data`)
  const stored = bytes.subarray(dataStart, expected)
  const ordered = bigEndian && width > 1 ? byteSwapped(stored, width) : stored
  return { dtype, dims, data: fortran && dims.length > 1 ? rowMajor(ordered, dims, width) : plainBytes(ordered) }
}

function parseHeader(text: string): { dtype: Dtype; bigEndian: boolean; fortran: boolean; dims: number[] } {
  const descr = /'descr':\s*'([<>|=]?)([A-Za-z]\d+)'/.exec(text)
  const fortran = /'fortran_order':\s*(True|False)/.exec(text)
  const shape = /'shape':\s*\(([\d\s,L]*)\)/.exec(text)
  if (!descr || !fortran || !shape) {
    const given = /'descr':\s*(.{1,60})/.exec(text)?.[1]
    throw malformed(
      given ? `its element type ${given} is not a plain number type` : "its header names no type or shape",
    )
  }
  const dtype = DTYPE_BY_DESCRIPTION.get(descr[2]!)
  if (!dtype)
    throw engineError("E_INPUT_DTYPE", `the .npy file holds ${descr[2]} elements, which no model input can be`, {
      remedy: "convert it with astype to a number type that the model takes",
    })
  const dims = shape[1]!
    .split(",")
    .map((part) => part.trim().replace(/L$/, ""))
    .filter((part) => part !== "")
    .map(Number)
  if (!Number.isSafeInteger(elementCount(dims) * 8)) throw malformed("its shape is absurd")
  return { dtype, bigEndian: descr[1] === ">", fortran: fortran[1] === "True", dims }
}

function byteSwapped(data: Uint8Array, width: number): Uint8Array {
  const swapped = Buffer.from(data)
  if (width === 2) return swapped.swap16()
  return width === 4 ? swapped.swap32() : swapped.swap64()
}

/** Column-major (the first index varies fastest) to row-major. */
function rowMajor(data: Uint8Array, dims: readonly number[], width: number): Uint8Array {
  const out = new Uint8Array(data.byteLength)
  const strides = dims.map((_, axis) => elementCount(dims.slice(0, axis)))
  const index = dims.map(() => 0)
  for (let to = 0; to < out.byteLength; to += width) {
    const from = index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0) * width
    for (let byte = 0; byte < width; byte++) out[to + byte] = data[from + byte]!
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis]!++
      if (index[axis]! < dims[axis]!) break
      index[axis] = 0
    }
  }
  return out
}

function malformed(why: string) {
  return engineError("E_INPUT_FORMAT", `this is not a usable .npy file: ${why}`, {
    remedy: "write it with numpy.save(path, array)",
  })
}

function truncated(expected: number, got: number) {
  return engineError("E_INPUT_TRUNCATED", `the .npy file is cut off: it has ${got} bytes of ${expected}`, {
    remedy: "copy or write the file again",
  })
}
