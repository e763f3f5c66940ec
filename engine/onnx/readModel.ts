import { engineError } from "../errors.ts"
import { readTensorProto } from "./tensorProto.ts"
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValueInfo } from "./types.ts"
import { readBytes, readFields, readFloats, readInt, readInts, readString, WireError } from "./wire.ts"

/** Wire types of ModelProto's fields: what tells an ONNX file from any other bytes, which have no magic number. */
const MODEL_FIELDS: Record<number, number> = {
  1: 0, // ir_version
  2: 2, // producer_name
  3: 2, // producer_version
  4: 2, // domain
  5: 0, // model_version
  6: 2, // doc_string
  7: 2, // graph
  8: 2, // opset_import
  14: 2, // metadata_props
  20: 2, // training_info
  25: 2, // functions
  26: 2, // configuration
}

const EXPORT_AGAIN = "export the model again, or copy the file again"

/** Reads the structure of an ONNX file without running anything and without copying its weights. */
export function readModel(bytes: Uint8Array): OnnxModel {
  if (bytes.byteLength === 0) throw notOnnx("the file is empty")
  let [irVersion, producer, graphs] = [0, "", 0]
  let graph: OnnxGraph | undefined
  const opsets: { domain: string; version: number }[] = []
  const functions: string[] = []
  const metadata = new Map<string, string>()
  let fields = 0
  try {
    readFields(bytes, (field, wireType, reader) => {
      if (MODEL_FIELDS[field] !== wireType && (fields === 0 || MODEL_FIELDS[field] !== undefined))
        throw notOnnx(`it does not begin like one (field ${field}, wire type ${wireType})`)
      fields++
      if (field === 1) irVersion = readInt(reader)
      else if (field === 2) producer = readString(reader)
      else if (field === 7) {
        // onnxruntime merges repeated graphs; a reader that takes the last one would judge another model than it runs.
        if (++graphs > 1)
          throw engineError("E_MODEL_INVALID", "the model has two graphs; ONNX allows one", { remedy: EXPORT_AGAIN })
        graph = readGraph(readBytes(reader))
      } else if (field === 8) opsets.push(readOpset(readBytes(reader)))
      else if (field === 14) {
        const [key, value] = readEntry(readBytes(reader))
        metadata.set(key, value)
      } else if (field === 25) functions.push(readFunctionName(readBytes(reader)))
    })
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    if (irVersion === 0) throw notOnnx(cause.message, cause)
    if (cause.truncated)
      throw engineError("E_MODEL_TRUNCATED", "the model is cut off: the file ends inside a field", {
        remedy: "copy or download the file again and compare its size",
        cause,
      })
    throw engineError("E_MODEL_INVALID", `the model is damaged: ${cause.message}`, { remedy: EXPORT_AGAIN, cause })
  }
  if (irVersion === 0) throw notOnnx("it states no IR version")
  // The graph is written after the header; a file that is cut between the two has none.
  if (!graph)
    throw engineError("E_MODEL_TRUNCATED", "the model has no graph: the file ends before it", {
      remedy: "copy or download the file again and compare its size",
    })
  return { irVersion, producer, opsets, metadata, functions, graph }
}

function readGraph(bytes: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = []
  const initializers: OnnxTensor[] = []
  const inputs: OnnxValueInfo[] = []
  const outputs: OnnxValueInfo[] = []
  const valueInfo: OnnxValueInfo[] = []
  let [name, sparseInitializers] = ["", 0]
  readFields(bytes, (field, _wireType, reader) => {
    if (field === 1) nodes.push(readNode(readBytes(reader)))
    else if (field === 2) name = readString(reader)
    else if (field === 5) initializers.push(readTensorProto(readBytes(reader)))
    else if (field === 11) inputs.push(readValueInfo(readBytes(reader)))
    else if (field === 12) outputs.push(readValueInfo(readBytes(reader)))
    else if (field === 13) valueInfo.push(readValueInfo(readBytes(reader)))
    else if (field === 15) sparseInitializers++
  })
  return { name, nodes, initializers, inputs, outputs, valueInfo, sparseInitializers }
}

function readNode(bytes: Uint8Array): OnnxNode {
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes = new Map<string, OnnxAttribute>()
  let [name, op, domain] = ["", "", ""]
  readFields(bytes, (field, _wireType, reader) => {
    if (field === 1) inputs.push(readString(reader))
    else if (field === 2) outputs.push(readString(reader))
    else if (field === 3) name = readString(reader)
    else if (field === 4) op = readString(reader)
    else if (field === 5) {
      const [key, attribute] = readAttribute(readBytes(reader))
      attributes.set(key, attribute)
    } else if (field === 7) domain = readString(reader)
  })
  return { name, op, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes }
}

function readAttribute(bytes: Uint8Array): [string, OnnxAttribute] {
  const ints: number[] = []
  const floats: number[] = []
  const tensors: OnnxTensor[] = []
  const strings: string[] = []
  let [name, graphs, sparse] = ["", 0, false]
  let i: number | undefined
  let f: number | undefined
  let s: string | undefined
  readFields(bytes, (field, wireType, reader) => {
    if (field === 1) name = readString(reader)
    else if (field === 2) f = reader.float()
    else if (field === 3) i = readInt(reader)
    else if (field === 4) s = readString(reader)
    else if (field === 5 || field === 10) tensors.push(readTensorProto(readBytes(reader)))
    else if (field === 6 || field === 11) graphs++
    else if (field === 7) readFloats(reader, wireType, floats)
    else if (field === 8) readInts(reader, wireType, ints)
    else if (field === 9) strings.push(readString(reader))
    else if (field === 22 || field === 23) sparse = true
  })
  return [name, { i, f, s, strings, ints, floats, tensors, graphs, sparse }]
}

const TYPE_KINDS: Record<number, OnnxValueInfo["kind"]> = {
  1: "tensor",
  4: "sequence",
  5: "map",
  7: "opaque",
  8: "sparse",
  9: "optional",
}

function readValueInfo(bytes: Uint8Array): OnnxValueInfo {
  let [name, elementType] = ["", 0]
  let kind: OnnxValueInfo["kind"] = "none"
  let dims: (number | string)[] | undefined
  readFields(bytes, (field, _wireType, reader) => {
    if (field === 1) name = readString(reader)
    else if (field === 2)
      readFields(readBytes(reader), (typeField, _typeWire, typeReader) => {
        const found = TYPE_KINDS[typeField]
        if (!found) return
        kind = found
        if (kind !== "tensor") return
        readFields(readBytes(typeReader), (tensorField, _tensorWire, tensorReader) => {
          if (tensorField === 1) elementType = tensorReader.int32()
          else if (tensorField === 2) dims = readShape(readBytes(tensorReader))
        })
      })
  })
  return { name, kind, elementType, dims }
}

function readShape(bytes: Uint8Array): (number | string)[] {
  const dims: (number | string)[] = []
  readFields(bytes, (field, _wireType, reader) => {
    if (field !== 1) return
    let dim: number | string = ""
    readFields(readBytes(reader), (dimField, _dimWire, dimReader) => {
      if (dimField === 1) dim = readInt(dimReader)
      else if (dimField === 2) dim = readString(dimReader)
    })
    dims.push(dim)
  })
  return dims
}

function readOpset(bytes: Uint8Array): { domain: string; version: number } {
  let [domain, version] = ["", 0]
  readFields(bytes, (field, _wireType, reader) => {
    if (field === 1) domain = readString(reader)
    else if (field === 2) version = readInt(reader)
  })
  return { domain: domain === "ai.onnx" ? "" : domain, version }
}

function readEntry(bytes: Uint8Array): [string, string] {
  let [key, value] = ["", ""]
  readFields(bytes, (field, _wireType, reader) => {
    if (field === 1) key = readString(reader)
    else if (field === 2) value = readString(reader)
  })
  return [key, value]
}

function readFunctionName(bytes: Uint8Array): string {
  let name = ""
  readFields(bytes, (field, _wireType, reader) => {
    if (field === 1) name = readString(reader)
  })
  return name
}

function notOnnx(why: string, cause?: unknown) {
  return engineError("E_MODEL_NOT_ONNX", `this is not an ONNX model: ${why}`, {
    remedy: "export the model to ONNX (for PyTorch: torch.onnx.export) and give that file",
    cause,
  })
}
