import { type Hex, zeroHash } from "viem"
import { evaluatePrimitive } from "#engine"
import { chunkDepth, dtypeOfOnnxNumber, hexOf, onnxNumberOf, sha256, type Tensor, tensorByteLength } from "#protocol"
import type { ChallengerMove } from "#protocol/disputes/challenger.ts"
import type { DefendantMove } from "#protocol/disputes/defendant.ts"
import { levelBelow, ROW_LEVELS, rootOfLeaf, rowRoot } from "#protocol/disputes/rows.ts"
import { TENSOR_SCHEME, tensorLeaf } from "#protocol/disputes/tensorTree.ts"
import { wireLeaf } from "#protocol/disputes/trace.ts"
import {
  type ElementProof,
  type Links,
  NOTHING_SHOWN,
  type OpenProgram,
  type Shown,
  type Turn,
} from "#protocol/disputes/types.ts"
import { bytesOf } from "#protocol/hashing/hex.ts"
import { operationLeaf } from "#protocol/programs/roots.ts"
import { ceilLog2 } from "#protocol/trees/depth.ts"
import { PAIR_SCHEME } from "#protocol/trees/pairTree.ts"
import { rootFromMultiproof, rootFromPath } from "#protocol/trees/positional.ts"

/** A dispute that the contract's rules hold in memory: every move is checked as there, and nothing else is. */
export type Table = { readonly turn: Turn; readonly shown: Shown; readonly node: Hex; readonly count: number }

export const NEW_TABLE: Table = {
  turn: { phase: "Publish", inside: false, level: 0, index: 0 },
  shown: NOTHING_SHOWN,
  node: "0x",
  count: 0,
}

export class Illegal extends Error {}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Illegal(what)
}

export function defend(
  table: Table,
  { program, links }: { program: OpenProgram; links: Links },
  move: DefendantMove,
): Table {
  const { turn, shown } = table
  const wires = program.program.inputs.length + program.operations.length
  if (move.move === "publish") {
    must(turn.phase === "Publish", "phase")
    const row = { level: ceilLog2(wires), index: 0, nodes: move.row }
    must(rowRoot(PAIR_SCHEME, wires, row) === move.traceRoot, "row")
    const published = {
      programRoot: zeroHash,
      operationsRoot: program.program.operationsRoot,
      traceRoot: move.traceRoot,
      links: zeroHash,
      inputs: program.program.inputs.length,
      operations: program.operations.length,
    }
    return {
      turn: { phase: "Pick", inside: false, level: row.level, index: 0 },
      shown: { ...shown, published, links, traceRows: [row] },
      node: move.traceRoot,
      count: wires,
    }
  }
  if (move.move === "reveal") {
    must(turn.phase === "Reveal", "phase")
    const row = { level: turn.level, index: turn.index, nodes: move.row }
    must(rowRoot(turn.inside ? TENSOR_SCHEME : PAIR_SCHEME, table.count, row) === table.node, "row")
    const next = turn.inside
      ? { ...shown, tensor: { ...shown.tensor!, rows: [...shown.tensor!.rows, row] } }
      : { ...shown, traceRows: [...shown.traceRows, row] }
    return { ...table, turn: { ...turn, phase: "Pick" }, shown: next }
  }
  if (move.move === "revealTensor" || move.move === "revealInput") {
    must(turn.phase === "Tensor", "phase")
    const index = turn.index - program.program.inputs.length
    const header = move.move === "revealInput" ? program.program.inputs[turn.index]! : program.operations[index]!.output
    const shape = shapeOf(header)
    must(wireLeaf(turn.index, rootOf(shape, move.treeRoot)) === table.node, "tensor")
    const count = Math.ceil(tensorByteLength(shape) / 1024)
    const row = { level: ceilLog2(count), index: 0, nodes: move.row }
    must(rowRoot(TENSOR_SCHEME, count, row) === move.treeRoot, "row")
    return {
      turn: { phase: "Pick", inside: true, level: row.level, index: 0 },
      shown: { ...shown, tensor: { wire: turn.index, rows: [row] } },
      node: move.treeRoot,
      count,
    }
  }
  must(move.move === "revealChunk" && turn.phase === "Chunk", "phase")
  const { chunk } = move as { chunk: Hex }
  must(tensorLeaf(bytesOf(chunk)) === table.node, "chunk")
  return { ...table, turn: { ...turn, phase: "Prove" }, shown: { ...shown, chunk: { index: turn.index, data: chunk } } }
}

/** The table after a pick or a part of a chain; "won" after a proof that the contract takes. */
export function challenge(table: Table, program: OpenProgram, move: ChallengerMove): Table | "won" {
  const { turn, shown } = table
  must(turn.phase === "Pick" || turn.phase === "Prove", "phase")
  if (move.move === "pick") {
    must(turn.phase === "Pick", "phase")
    const level = levelBelow(turn.level)
    const step = turn.level - level
    must(step <= ROW_LEVELS && Math.floor(move.index / 2 ** step) === turn.index, "index")
    const scheme = turn.inside ? TENSOR_SCHEME : PAIR_SCHEME
    const position = move.index % 2 ** step
    must(rootFromPath(scheme, { leaf: move.node, position, depth: step, path: move.path }) === table.node, "node")
    const phase = level > 0 ? "Reveal" : turn.inside ? "Chunk" : "Tensor"
    return { ...table, node: move.node, turn: { ...turn, phase, level, index: move.index } }
  }
  const count = shown.published!.inputs + shown.published!.operations
  const inTrace = (wire: number, leaf: Hex, path: readonly Hex[]) =>
    rootOfLeaf(PAIR_SCHEME, { count, leaf, position: wire, path }) === shown.published!.traceRoot
  if (move.move === "proveLink") {
    const { kind, index } = move
    const roots = { input: shown.links!.inputs, output: shown.links!.outputs, digest: shown.links!.digests }[kind]
    const { outputs, digests } = program.program
    const wire = kind === "input" ? index : (kind === "output" ? outputs : digests)[index]!
    must(inTrace(wire, move.leaf, move.path), "leaf")
    must(move.leaf !== wireLeaf(wire, roots[index]!), "no fault")
    return "won"
  }
  must(move.move === "proveElement", `cannot win by ${move.move}`)
  const { proof } = move as { proof: ElementProof }
  const { operation } = proof
  must(
    rootOfLeaf(PAIR_SCHEME, {
      count: shown.published!.operations,
      leaf: operationLeaf(proof.index, operation),
      position: proof.index,
      path: proof.path,
    }) === shown.published!.operationsRoot,
    "operation",
  )
  const wire = shown.published!.inputs + proof.index
  const output = shapeOf(operation.output)
  const width = tensorByteLength({ ...output, dims: [] })
  const at = Math.floor((Number(proof.element) * width) / 1024)
  const chunk = bytesOf(proof.chunk)
  const size = tensorByteLength(output)
  const tree = rootFromPath(TENSOR_SCHEME, {
    leaf: tensorLeaf(chunk),
    position: at,
    depth: chunkDepth(size),
    path: proof.chunkPath,
  })
  must(inTrace(wire, wireLeaf(wire, rootOf(output, tree)), proof.tracePath), "chunk")
  if (chunk.subarray(Math.max(0, size - at * 1024)).some((byte) => byte !== 0)) return "won"
  const operands = operation.inputs.map((operand, i) => {
    const shape = shapeOf(operand)
    const { chunks, data } = proof.opened[i]!
    const bytes = bytesOf(data)
    // What is not opened is not to be read: it stands there as noise.
    const filled = Buffer.alloc(Math.ceil(tensorByteLength(shape) / 1024) * 1024, 0x2b)
    if (chunks.length > 0) {
      const entries = chunks.map((position, j) => {
        const part = bytes.subarray(j * 1024, (j + 1) * 1024)
        filled.set(part, position * 1024)
        return { position, leaf: tensorLeaf(part) }
      })
      const depth = chunkDepth(tensorByteLength(shape))
      const treeRoot = rootFromMultiproof(TENSOR_SCHEME, { entries, depth, proof: proof.operands[i]!.chunkPath })
      const root = rootOf(shape, treeRoot)
      if (BigInt(operand.root) === 0n)
        must(inTrace(operand.wire, wireLeaf(operand.wire, root), proof.operands[i]!.tracePath), "operand")
      else must(root === operand.root, "constant")
    }
    return { ...shape, data: filled.subarray(0, tensorByteLength(shape)) }
  })
  const right = evaluatePrimitive({ ...operation, operands, ...output })
  const from = Number(proof.element) * width
  const bytes = right.data.subarray(from, from + width)
  must(!bytes.every((byte, i) => byte === chunk[from - at * 1024 + i]), "no fault")
  return "won"
}

export function shapeOf({ dtype, dims }: { dtype: number; dims: readonly bigint[] }): Pick<Tensor, "dtype" | "dims"> {
  return { dtype: dtypeOfOnnxNumber(dtype)!, dims: dims.map(Number) }
}

/** Header and tree, by R6's own words. */
function rootOf({ dtype, dims }: Pick<Tensor, "dtype" | "dims">, treeRoot: Hex): Hex {
  const head = Buffer.alloc(3 + 8 * dims.length)
  head.set([3, onnxNumberOf(dtype), dims.length])
  dims.forEach((dim, i) => {
    head.writeBigUInt64BE(BigInt(dim), 3 + 8 * i)
  })
  return hexOf(sha256(Buffer.concat([head, bytesOf(treeRoot)])))
}
