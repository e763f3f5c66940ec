import type { Hex } from "viem"
import { CHUNK_BYTES } from "../commitments/shaTree.ts"
import { bytesPerElement, dtypeOfOnnxNumber, type Tensor } from "../commitments/tensor.ts"
import { buildOperationTree } from "../programs/roots.ts"
import type { Operand, Operation } from "../programs/types.ts"
import { type Tree, treePath } from "../trees/positional.ts"
import { chainLength, operandReads, type Run } from "./operandReads.ts"
import { buildTensorTree, chunkAt, NOTHING_OPENED, openChunks } from "./tensorTree.ts"
import type { Trace } from "./trace.ts"
import type { ElementProof, Finding, OpenProgram, Shown } from "./types.ts"

/** Terms of a float32 chain that one transaction judges well inside the gas limit. */
export const CHAIN_PART = 4_096

export type FindElementParams = {
  readonly program: OpenProgram
  readonly own: Trace
  readonly wire: number
  readonly chunk: number
  /** The 1,024 bytes that the other side stands by. */
  readonly claimed: Uint8Array
}

/** The first element of a chunk in which the other side's bytes differ; undefined where none does. */
export function findElement({ program, own, wire, chunk, claimed }: FindElementParams): Finding | undefined {
  const tensor = own.tensors[wire]!
  const right = chunkAt(tensor, chunk)
  const at = right.findIndex((byte, i) => byte !== claimed[i])
  if (at === -1) return undefined
  const operation = wire - program.program.inputs.length
  const width = bytesPerElement(tensor.dtype)
  const first = chunk * CHUNK_BYTES
  const fill = first + at >= tensor.data.length
  const element = Math.floor((fill ? first : first + at) / width)
  const value = (bytes: Uint8Array) => littleEndian(bytes, element * width - first, width)
  return {
    wire,
    operation,
    code: program.operations[operation]!.code,
    element,
    claimed: value(claimed),
    computed: value(right),
    fill,
  }
}

export type ElementProofParams = {
  readonly program: OpenProgram
  readonly own: Trace
  /** The published trace's tree, as far as its paths to the wire and below are concerned. */
  readonly trace: Tree<Hex>
  readonly finding: Finding
  readonly chunk: Hex
  readonly chunkPath: readonly Hex[]
  readonly chains: Shown["chains"]
}

/**
 * Opens one element: the operation to the program, its operands to the trace (out of the challenger's own memory, for
 * wires below the first differing one are the same) or to its constants. Long chains go in parts.
 */
export function elementProof(params: ElementProofParams): ElementProof {
  const { program, own, trace, finding, chunk, chunkPath, chains } = params
  const { element, operation: index } = finding
  const operation = program.operations[index]!
  const tensorOf = (operand: Operand): Tensor =>
    isWire(operand) ? own.tensors[operand.wire]! : program.constants.get(operand.root)!
  const terms = nextTerms(
    operation,
    chains.find((chain) => chain.operation === index && chain.element === element),
  )
  const valueAt = (operand: number, at: number) => integerAt(tensorOf(operation.inputs[operand]!), at)
  const reads = operandReads({ operation, element, valueAt, ...(terms && { terms }) })
  const opened = operation.inputs.map((operand, i) => {
    const tensor = tensorOf(operand)
    const chunks = finding.fill ? [] : chunksOf(reads[i]!, bytesPerElement(tensor.dtype))
    return chunks.length === 0 ? NOTHING_OPENED : openChunks(tensor, buildTensorTree(tensor), chunks)
  })
  return {
    index,
    operation,
    path: treePath(buildOperationTree(program.operations), index),
    element: BigInt(element),
    opened: opened.map((entry) => entry.opened),
    operands: operation.inputs.map((operand, i) => {
      const { opened: shown, path } = opened[i]!
      const tracePath = isWire(operand) && shown.chunks.length > 0 ? treePath(trace, operand.wire) : []
      return { tracePath, chunkPath: path }
    }),
    tracePath: treePath(trace, finding.wire),
    chunk,
    chunkPath,
    upTo: BigInt(terms?.upTo ?? 0),
  }
}

/** Chunks that hold these elements, ascending. */
export function chunksOf(runs: readonly Run[], width: number): number[] {
  const chunks = new Set<number>()
  for (const { start, length } of runs) {
    const last = Math.floor(((start + length) * width - 1) / CHUNK_BYTES)
    for (let chunk = Math.floor((start * width) / CHUNK_BYTES); chunk <= last; chunk++) chunks.add(chunk)
  }
  return [...chunks].sort((a, b) => a - b)
}

function nextTerms(operation: Operation, done: { upTo: number } | undefined) {
  const length = chainLength(operation)
  if (length <= CHAIN_PART) return undefined
  const from = done?.upTo ?? 0
  return { from, upTo: Math.min(length, from + CHAIN_PART) }
}

function isWire({ root }: Operand): boolean {
  return BigInt(root) === 0n
}

/** An index operand's element: int32 or int64, of which only what is in reach matters. */
function integerAt({ dtype, data }: Tensor, element: number): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  if (dtype === "int64") return Number(view.getBigInt64(8 * element, true))
  return view.getInt32(4 * element, true)
}

function littleEndian(bytes: Uint8Array, from: number, width: number): bigint {
  let value = 0n
  for (let i = 0; i < width; i++) value |= BigInt(bytes[from + i]!) << BigInt(8 * i)
  return value
}

/** The text of an element's bits, as people read them. */
export function describeBits(bits: bigint, onnxDtype: number): string {
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setBigUint64(0, bits, true)
  const dtype = dtypeOfOnnxNumber(onnxDtype)
  if (dtype === "float32") return String(bytes.getFloat32(0, true))
  if (dtype === "int32") return String(bytes.getInt32(0, true))
  if (dtype === "int64") return String(bytes.getBigInt64(0, true))
  if (dtype === "int8") return String(bytes.getInt8(0))
  return String(bits)
}
