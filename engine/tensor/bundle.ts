import { bytesPerElement, DTYPES, type Dtype, elementCount, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { plainBytes } from "./plainBytes.ts"

/**
 * All tensors of a shard in one file, in the safetensors format: an 8-byte little-endian header length, a JSON header,
 * the data. Others' tools can open it; names are `<taskIndex>/<name>`. We write one canonical form (names in the order
 * given, no gaps, no spaces but the padding to 8), so equal tensors make equal bytes, and read no more than the format
 * allows: a peer's bundle is hostile until it has been decoded.
 */

export type NamedTensor = { readonly name: string; readonly tensor: Tensor }

/** A shard has at most 1,024 tasks; 2 MiB of header leaves 2 kB a task. The format's own limit is 100 MB. */
const MAX_HEADER_BYTES = 2 * 1024 * 1024
const MAX_RANK = 64
const METADATA = "__metadata__"

const SAFETENSORS_NAMES: Record<Dtype, string> = {
  float32: "F32",
  uint8: "U8",
  int8: "I8",
  uint16: "U16",
  int16: "I16",
  int32: "I32",
  int64: "I64",
  bool: "BOOL",
  float16: "F16",
  float64: "F64",
  uint32: "U32",
  uint64: "U64",
  bfloat16: "BF16",
}
const DTYPE_BY_SAFETENSORS_NAME = new Map(DTYPES.map((dtype) => [SAFETENSORS_NAMES[dtype], dtype]))

export function bundleName(taskIndex: number, name: string): string {
  return `${taskIndex}/${name}`
}

/** The task index and tensor name inside a bundle's name, or undefined if it has not that form. */
export function parseBundleName(name: string): { taskIndex: number; name: string } | undefined {
  const match = /^(0|[1-9][0-9]{0,9})\/([\s\S]+)$/.exec(name)
  return match ? { taskIndex: Number(match[1]), name: match[2]! } : undefined
}

export function encodeBundle(entries: readonly NamedTensor[]): Uint8Array {
  let offset = 0
  const fields: string[] = []
  const seen = new Set<string>()
  for (const { name, tensor } of entries) {
    const byteLength = elementCount(tensor.dims) * bytesPerElement(tensor.dtype)
    if (byteLength !== tensor.data.byteLength)
      throw bad(`"${name}" has ${tensor.data.byteLength} bytes where its shape and type make ${byteLength}`)
    if (seen.has(name)) throw bad(`"${name}" appears twice`)
    if (name === METADATA) throw bad(`"${name}" is a name that the format keeps for itself`)
    seen.add(name)
    const end = offset + byteLength
    // Written by hand, not by JSON.stringify of one object: an object moves names that look like integers to the front.
    fields.push(
      `${JSON.stringify(name)}:{"dtype":"${SAFETENSORS_NAMES[tensor.dtype]}","shape":[${tensor.dims.join(",")}],"data_offsets":[${offset},${end}]}`,
    )
    offset = end
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`)
  const headerBytes = Math.ceil(json.byteLength / 8) * 8
  if (headerBytes > MAX_HEADER_BYTES) throw tooLarge(headerBytes)
  const bytes = new Uint8Array(8 + headerBytes + offset)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true)
  bytes.set(json, 8)
  bytes.fill(0x20, 8 + json.byteLength, 8 + headerBytes)
  let at = 8 + headerBytes
  for (const { tensor } of entries) {
    bytes.set(tensor.data, at)
    at += tensor.data.byteLength
  }
  return bytes
}

/** Strict: every byte of the data belongs to exactly one tensor, in the order of the header. Data are views, not copies. */
export function decodeBundle(bytes: Uint8Array): NamedTensor[] {
  if (bytes.byteLength < 8) throw bad("it is shorter than its 8-byte header length")
  const headerBytes = bundleHeaderBytes(bytes)
  if (8 + headerBytes > bytes.byteLength) throw bad("its header runs past its end")
  const header = bytes.subarray(8, 8 + headerBytes)
  return bundleLayout(header, bytes.byteLength).map(({ name, dtype, dims, start, end }) => ({
    name,
    tensor: { dtype, dims, data: plainBytes(bytes.subarray(start, end)) },
  }))
}

/** Where a tensor's bytes are in the file. */
export type TensorPlace = { readonly name: string; readonly dtype: Dtype; readonly dims: readonly number[] } & Range
type Range = { readonly start: number; readonly end: number }

/** How long the header is that comes behind the first eight bytes. */
export function bundleHeaderBytes(first: Uint8Array): number {
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) throw tooLarge(length)
  return Number(length)
}

/** Of a file of so many bytes with this header. */
export function bundleLayout(header: Uint8Array, fileBytes: number): TensorPlace[] {
  const dataAt = 8 + header.byteLength
  const dataBytes = fileBytes - dataAt
  let expectedStart = 0
  const places: TensorPlace[] = []
  for (const [name, field] of parseHeader(header)) {
    const { dtype, dims, start, end } = parseField(name, field)
    if (start !== expectedStart) throw bad(`"${name}" starts at ${start} where ${expectedStart} was due`)
    if (end > dataBytes) throw bad(`"${name}" runs past the end of the data`)
    const byteLength = elementCount(dims) * bytesPerElement(dtype)
    if (end - start !== byteLength) throw bad(`"${name}" has ${end - start} bytes where its shape makes ${byteLength}`)
    places.push({ name, dtype, dims, start: dataAt + start, end: dataAt + end })
    expectedStart = end
  }
  if (expectedStart !== dataBytes) throw bad(`${dataBytes - expectedStart} bytes belong to no tensor`)
  return places
}

/** The header's fields in the order of their data. */
function parseHeader(bytes: Uint8Array): [string, unknown][] {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (cause) {
    throw engineError("E_BUNDLE_FORMAT", "the tensor bundle's header is not JSON", { cause })
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw bad("its header is not an object")
  // A foreign writer may add `__metadata__`; it carries no tensor.
  const entries = Object.entries(header).filter(([name]) => name !== METADATA)
  // Integer-like names come first out of a parsed object, whatever the file says: order by where the data lie.
  return entries.sort((a, b) => startOf(a[1]) - startOf(b[1]) || endOf(a[1]) - endOf(b[1]))
}

function offsetsOf(field: unknown): unknown[] {
  const offsets = (field as { data_offsets?: unknown } | null)?.data_offsets
  return Array.isArray(offsets) ? offsets : []
}
function startOf(field: unknown): number {
  return Number(offsetsOf(field)[0])
}
function endOf(field: unknown): number {
  return Number(offsetsOf(field)[1])
}

function parseField(name: string, field: unknown): { dtype: Dtype; dims: number[]; start: number; end: number } {
  if (typeof field !== "object" || field === null) throw bad(`"${name}" is not described by an object`)
  const { dtype: typeName, shape } = field as { dtype?: unknown; shape?: unknown }
  const dtype = typeof typeName === "string" ? DTYPE_BY_SAFETENSORS_NAME.get(typeName) : undefined
  if (!dtype) throw bad(`"${name}" has the unknown type ${JSON.stringify(typeName)?.slice(0, 40)}`)
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount))
    throw bad(`"${name}" has no valid shape`)
  const offsets = offsetsOf(field)
  if (offsets.length !== 2 || !offsets.every(isCount)) throw bad(`"${name}" has no valid offsets`)
  const [start, end] = offsets as [number, number]
  if (end < start) throw bad(`"${name}" ends before it starts`)
  return { dtype, dims: shape, start, end }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
}

function bad(why: string) {
  return engineError("E_BUNDLE_FORMAT", `the tensor bundle is malformed: ${why.slice(0, 300)}`, {
    remedy: "write it with encodeBundle, or any safetensors writer that leaves no gaps",
  })
}

function tooLarge(headerBytes: number | bigint) {
  return engineError(
    "E_BUNDLE_TOO_LARGE",
    `the tensor bundle's header has ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are read`,
  )
}
