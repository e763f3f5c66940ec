import protobuf from "protobufjs/minimal.js"
import { readModel } from "./readModel.ts"
import type { OnnxModel, OnnxNode } from "./types.ts"
import { asBuffer, readBytes, readFields, readString } from "./wire.ts"
import { tag } from "./writeModel.ts"

/**
 * Opset 6 to 7. Up to 6 (PyTorch exported it until 2018) arithmetic broadcast by attributes, `broadcast` and `axis`;
 * from 7 on it broadcasts as NumPy does, and onnxruntime has kernels for that alone. Where the two mean the same, the
 * attributes are dropped. https://github.com/onnx/onnx/blob/main/docs/Changelog.md, version 7.
 */

const BROADCASTING = new Set(["Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"])
/** Changed in 7 in ways of their own. */
const OTHERWISE_CHANGED = new Set(["BatchNormalization", "Dropout", "GRU", "LSTM", "RNN", "Upsample", "PRelu"])
const DROPPED = new Set(["broadcast", "axis"])
const OPSET_FIELD = 8

/** The same model for opset 7, or the bytes as they are if it needs no upgrade or has no exact one. */
export function upgradeOpset(bytes: Uint8Array): Uint8Array {
  const model = readModel(bytes)
  const opset = model.opsets.find(({ domain }) => domain === "")?.version
  const { nodes } = model.graph
  const legacy = nodes.some(({ op }) => BROADCASTING.has(op) || op === "Gemm")
  if (opset !== 6 || !legacy || nodes.some(({ op }) => OTHERWISE_CHANGED.has(op))) return bytes
  const ranks = knownRanks(model)
  if (!nodes.every((node) => !BROADCASTING.has(node.op) || broadcastsFromTheEnd(node, ranks))) return bytes
  return rewrite(bytes, {
    7: (graph) => rewrite(graph, { 1: withoutBroadcast }),
    [OPSET_FIELD]: (entry) => (domainOf(entry) === "" ? defaultOpset7() : entry),
  })
}

/** With `axis` given, the second operand's first dimension stands there; NumPy aligns last dimensions. */
function broadcastsFromTheEnd(node: OnnxNode, ranks: ReadonlyMap<string, number>): boolean {
  const axis = node.attributes.get("axis")?.i
  if (axis === undefined) return true
  const [a, b] = node.inputs.map((name) => ranks.get(name))
  return a !== undefined && b !== undefined && (axis < 0 ? axis === -b : axis === a - b)
}

function knownRanks({ graph }: OnnxModel): Map<string, number> {
  const ranks = new Map<string, number>()
  for (const { name, dims } of [...graph.inputs, ...graph.outputs, ...graph.valueInfo, ...graph.initializers])
    if (dims) ranks.set(name, dims.length)
  for (const node of graph.nodes) {
    const constant = node.op === "Constant" ? node.attributes.get("value")?.tensors[0] : undefined
    // The first operand gives the result its shape.
    const rank = constant?.dims.length ?? (BROADCASTING.has(node.op) ? ranks.get(node.inputs[0] ?? "") : undefined)
    if (rank !== undefined && node.outputs[0]) ranks.set(node.outputs[0], rank)
  }
  return ranks
}

function withoutBroadcast(node: Uint8Array): Uint8Array {
  let op = ""
  readFields(node, (field, _wireType, reader) => {
    if (field === 4) op = readString(reader)
  })
  if (!BROADCASTING.has(op) && op !== "Gemm") return node
  return rewrite(node, { 5: (attribute) => (DROPPED.has(firstString(attribute)) ? undefined : attribute) })
}

/** Copies a message field by field; a rewriter changes a submessage, or drops it. */
function rewrite(
  bytes: Uint8Array,
  rewriters: Record<number, (part: Uint8Array) => Uint8Array | undefined>,
): Uint8Array {
  const writer = protobuf.Writer.create()
  let start = 0
  readFields(bytes, (field, wireType, reader) => {
    const rewriter = wireType === 2 ? rewriters[field] : undefined
    if (rewriter) {
      const part = rewriter(readBytes(reader))
      if (part) writer.uint32(tag(field, 2)).bytes(asBuffer(part))
    } else {
      reader.skipType(wireType)
      writer.raw(asBuffer(bytes.subarray(start, reader.pos)))
    }
    start = reader.pos
  })
  return writer.finish()
}

/** Field 1 of both AttributeProto (name) and OperatorSetIdProto (domain). */
function firstString(message: Uint8Array): string {
  let text = ""
  readFields(message, (field, _wireType, reader) => {
    if (field === 1) text = readString(reader)
  })
  return text
}

function domainOf(entry: Uint8Array): string {
  const domain = firstString(entry)
  return domain === "ai.onnx" ? "" : domain
}

function defaultOpset7(): Uint8Array {
  return protobuf.Writer.create().uint32(tag(1, 2)).string("").uint32(tag(2, 0)).int64(7).finish()
}
