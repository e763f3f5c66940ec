import protobuf from "protobufjs/minimal.js"
import { asBuffer, readBytes, readFields } from "./wire.ts"
import { tag, type ValueSpec, writeMetadata, writeOutput } from "./writeModel.ts"

export type ModelExtension = {
  /** Inner tensors to expose as graph outputs, after those there are. */
  readonly outputs: readonly (ValueSpec | { name: string })[]
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * Adds graph outputs and metadata and leaves every other byte as it is: fields are copied as spans, never decoded and
 * written anew, so nothing that a newer ONNX may add gets lost.
 */
export function extendModel(bytes: Uint8Array, { outputs, metadata = {} }: ModelExtension): Uint8Array {
  const writer = protobuf.Writer.create()
  let start = 0
  readFields(bytes, (field, wireType, reader) => {
    if (field === 7 && wireType === 2) {
      const graph = readBytes(reader)
      const added = protobuf.Writer.create()
      for (const output of outputs) writeOutput(added, output)
      writer.uint32(tag(7, 2)).bytes(Buffer.concat([graph, added.finish()]))
    } else {
      reader.skipType(wireType)
      writer.raw(asBuffer(bytes.subarray(start, reader.pos)))
    }
    start = reader.pos
  })
  for (const [key, value] of Object.entries(metadata)) writeMetadata(writer, key, value)
  return writer.finish()
}
