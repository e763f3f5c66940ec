import protobuf from "protobufjs/minimal.js"
import { type Dtype, onnxNumberOf, type Tensor } from "#protocol"
import { writeTensorProto } from "./tensorProto.ts"

/** Builds ONNX files: examples, self-test vectors and tests are graphs that the project wrote itself. */

export type AttributeSpec =
  | number
  | { readonly f: number }
  | { readonly s: string }
  | readonly number[]
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | Tensor

export type NodeSpec = {
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly name?: string
  readonly domain?: string
  /** A bare number or array is an integer attribute; floats are `{ f }` and `{ floats }`, strings `{ s }` and `{ strings }`. */
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
}

/** A string is a symbolic dimension. */
export type ValueSpec = { readonly name: string; readonly dtype: Dtype; readonly dims: readonly (number | string)[] }

export type ModelSpec = {
  readonly name: string
  readonly nodes: readonly NodeSpec[]
  readonly inputs: readonly ValueSpec[]
  readonly outputs: readonly ValueSpec[]
  readonly initializers?: Readonly<Record<string, Tensor>>
  readonly opset?: number
  readonly irVersion?: number
  readonly metadata?: Readonly<Record<string, string>>
}

/** AttributeProto.AttributeType */
const TYPE = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const

/** The versions of other domains that are written here. */
const OTHER_OPSETS: Readonly<Record<string, number>> = { "com.microsoft": 1, "ai.onnx.ml": 3 }

const VARINT = 0
const FIXED32 = 5
const BYTES = 2

export function writeModel(spec: ModelSpec): Uint8Array {
  const writer = protobuf.Writer.create()
  writer.uint32(tag(1, VARINT)).int64(spec.irVersion ?? 8)
  writer.uint32(tag(2, BYTES)).string("assay")
  embed(writer, 7, (graph) => writeGraph(graph, spec))
  const others = new Set(spec.nodes.flatMap(({ domain }) => (domain ? [domain] : [])))
  for (const domain of ["", ...others])
    embed(writer, 8, (opset) => {
      opset.uint32(tag(1, BYTES)).string(domain)
      opset.uint32(tag(2, VARINT)).int64(domain === "" ? (spec.opset ?? 17) : (OTHER_OPSETS[domain] ?? 1))
    })
  for (const [key, value] of Object.entries(spec.metadata ?? {})) writeMetadata(writer, key, value)
  return writer.finish()
}

export function writeMetadata(writer: protobuf.Writer, key: string, value: string): void {
  embed(writer, 14, (entry) => {
    entry.uint32(tag(1, BYTES)).string(key)
    entry.uint32(tag(2, BYTES)).string(value)
  })
}

/** A graph output (field 12) that names an inner tensor; onnxruntime infers its type where none is given. */
export function writeOutput(writer: protobuf.Writer, value: ValueSpec | { name: string }): void {
  embed(writer, 12, (info) => writeValueInfo(info, value))
}

export function tag(field: number, wireType: number): number {
  return ((field << 3) | wireType) >>> 0
}

function embed(writer: protobuf.Writer, field: number, write: (inner: protobuf.Writer) => void): void {
  writer.uint32(tag(field, BYTES)).fork()
  write(writer)
  writer.ldelim()
}

function writeGraph(writer: protobuf.Writer, spec: ModelSpec): void {
  for (const node of spec.nodes) embed(writer, 1, (inner) => writeNode(inner, node))
  writer.uint32(tag(2, BYTES)).string(spec.name)
  for (const [name, tensor] of Object.entries(spec.initializers ?? {}))
    writer.uint32(tag(5, BYTES)).bytes(writeTensorProto(tensor, name))
  for (const input of spec.inputs) embed(writer, 11, (inner) => writeValueInfo(inner, input))
  for (const output of spec.outputs) writeOutput(writer, output)
}

function writeNode(writer: protobuf.Writer, node: NodeSpec): void {
  for (const input of node.inputs) writer.uint32(tag(1, BYTES)).string(input)
  for (const output of node.outputs) writer.uint32(tag(2, BYTES)).string(output)
  if (node.name) writer.uint32(tag(3, BYTES)).string(node.name)
  writer.uint32(tag(4, BYTES)).string(node.op)
  for (const [name, value] of Object.entries(node.attributes ?? {}))
    embed(writer, 5, (inner) => writeAttribute(inner, name, value))
  if (node.domain) writer.uint32(tag(7, BYTES)).string(node.domain)
}

function writeAttribute(writer: protobuf.Writer, name: string, value: AttributeSpec): void {
  writer.uint32(tag(1, BYTES)).string(name)
  if (typeof value === "number") {
    writer.uint32(tag(3, VARINT)).int64(value)
    writeType(writer, TYPE.int)
  } else if ("f" in value) {
    writer.uint32(tag(2, FIXED32)).float(value.f)
    writeType(writer, TYPE.float)
  } else if ("s" in value) {
    writer.uint32(tag(4, BYTES)).string(value.s)
    writeType(writer, TYPE.string)
  } else if ("floats" in value) {
    for (const float of value.floats) writer.uint32(tag(7, FIXED32)).float(float)
    writeType(writer, TYPE.floats)
  } else if ("strings" in value) {
    for (const string of value.strings) writer.uint32(tag(9, BYTES)).string(string)
    writeType(writer, TYPE.strings)
  } else if ("dtype" in value) {
    writer.uint32(tag(5, BYTES)).bytes(writeTensorProto(value))
    writeType(writer, TYPE.tensor)
  } else {
    for (const int of value) writer.uint32(tag(8, VARINT)).int64(int)
    writeType(writer, TYPE.ints)
  }
}

function writeType(writer: protobuf.Writer, type: number): void {
  writer.uint32(tag(20, VARINT)).int32(type)
}

function writeValueInfo(writer: protobuf.Writer, value: ValueSpec | { name: string }): void {
  writer.uint32(tag(1, BYTES)).string(value.name)
  if (!("dtype" in value)) return
  embed(writer, 2, (type) =>
    embed(type, 1, (tensor) => {
      tensor.uint32(tag(1, VARINT)).int32(onnxNumberOf(value.dtype))
      embed(tensor, 2, (shape) => {
        for (const dim of value.dims)
          embed(shape, 1, (dimension) => {
            if (typeof dim === "number") dimension.uint32(tag(1, VARINT)).int64(dim)
            else dimension.uint32(tag(2, BYTES)).string(dim)
          })
      })
    }),
  )
}
