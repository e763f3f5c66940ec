import protobuf from "protobufjs/minimal.js"

/**
 * The protobuf wire, read with protobufjs' own Reader and Writer but without its generated messages: those would copy
 * and box the numbers of a hostile file before anyone could judge it, let the last of two `graph` fields win where
 * onnxruntime merges them, and drop what a newer ONNX adds when a model is written back.
 */

export type WireReader = protobuf.Reader
export type FieldHandler = (field: number, wireType: number, reader: WireReader) => void

/** The bytes are not protobuf, or end too early. */
export class WireError extends Error {
  readonly truncated: boolean

  constructor(message: string, truncated: boolean, options?: ErrorOptions) {
    super(message, options)
    this.name = "WireError"
    this.truncated = truncated
  }
}

const GROUP_START = 3
const GROUP_END = 4

/** Calls `handler` for each field; what it does not read is skipped. */
export function readFields(bytes: Uint8Array, handler: FieldHandler): void {
  const reader = protobuf.Reader.create(asBuffer(bytes))
  while (reader.pos < reader.len) {
    try {
      const tag = reader.uint32()
      const [field, wireType] = [tag >>> 3, tag & 7]
      // ONNX has no groups, and skipping nested ones is how a small file makes a deep stack.
      if (field === 0 || wireType === GROUP_START || wireType === GROUP_END || wireType > 5)
        throw new WireError(`field ${field} of wire type ${wireType}`, false)
      const start = reader.pos
      handler(field, wireType, reader)
      if (reader.pos === start) reader.skipType(wireType)
    } catch (cause) {
      if (cause instanceof RangeError) throw new WireError("ends inside a field", true, { cause })
      if (isMalformed(cause)) throw new WireError(cause.message, false, { cause })
      throw cause
    }
  }
}

/** What protobufjs says of numbers, tags and lengths that are none, by no class of its own. */
function isMalformed(cause: unknown): cause is Error {
  return cause instanceof Error && cause.constructor === Error && /^(invalid|illegal|max depth) /.test(cause.message)
}

export function readBytes(reader: WireReader): Uint8Array {
  return reader.bytes()
}

const utf8 = new TextDecoder("utf-8")

export function readString(reader: WireReader): string {
  return utf8.decode(reader.bytes())
}

/** An int64 that must be exact as a number: dimensions, sizes, attribute integers. */
export function readInt(reader: WireReader): number {
  return clampInt(reader.int64())
}

/** INT64_MIN and INT64_MAX stand for "to the end" in Slice: they become the nearest safe integers. */
function clampInt(value: number | { toString(): string }): number {
  const exact = BigInt(value.toString())
  const max = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(exact > max ? max : exact < -max ? -max : exact)
}

/** A repeated int64, packed or not. */
export function readInts(reader: WireReader, wireType: number, into: number[]): void {
  if (wireType !== 2) {
    into.push(readInt(reader))
    return
  }
  const end = reader.uint32() + reader.pos
  if (end > reader.len) throw new RangeError("packed field runs past the end")
  while (reader.pos < end) into.push(readInt(reader))
}

/** A repeated float, packed or not. */
export function readFloats(reader: WireReader, wireType: number, into: number[]): void {
  if (wireType !== 2) {
    into.push(reader.float())
    return
  }
  const end = reader.uint32() + reader.pos
  if (end > reader.len) throw new RangeError("packed field runs past the end")
  while (reader.pos < end) into.push(reader.float())
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
