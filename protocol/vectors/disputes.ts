import { encodeAbiParameters, type Hex, zeroHash } from "viem"
import { findHash, gameIdOf, verdictGameIdOf } from "../disputes/ids.ts"
import { type Row, rowUnder, topRow } from "../disputes/rows.ts"
import { buildTensorTree } from "../disputes/tensorTree.ts"
import { wireLeaf } from "../disputes/trace.ts"
import { PRIMITIVES } from "../programs/primitives.ts"
import { buildOperationTree, OPERATION, operationLeaf, PROGRAM, programRootV1 } from "../programs/roots.ts"
import type { Operation, Program } from "../programs/types.ts"
import { structHash } from "../signing/digest.ts"
import { buildPairTree } from "../trees/pairTree.ts"
import { addressOf, bytes32, sampleTensor } from "./samples.ts"

const dims = (...values: number[]) => values.map(BigInt)

const OPERATIONS: readonly Operation[] = [
  {
    code: PRIMITIVES.MATMUL,
    attributes: [256n],
    inputs: [
      { wire: 0, root: zeroHash, dtype: 1, dims: dims(2, 3) },
      { wire: 0, root: bytes32("constant"), dtype: 1, dims: dims(4, 3) },
    ],
    output: { dtype: 1, dims: dims(2, 4) },
  },
  {
    code: PRIMITIVES.VIEW,
    attributes: [7n, -1n, -4n],
    inputs: [{ wire: 1, root: zeroHash, dtype: 1, dims: dims(2, 4) }],
    output: { dtype: 1, dims: dims(4, 2) },
  },
  {
    code: PRIMITIVES.CAST,
    attributes: [],
    inputs: [{ wire: 2, root: zeroHash, dtype: 1, dims: dims(4, 2) }],
    output: { dtype: 9, dims: dims(4, 2) },
  },
]

/** Programs, traces and what a dispute shows of them (R2, R27). Structs stand here as `abi.encode` gives them. */
export function disputeVectors(batchId: bigint) {
  const tree = buildOperationTree(OPERATIONS)
  const program: Program = {
    inputs: [{ dtype: 1, dims: dims(2, 3) }],
    operations: OPERATIONS.length,
    operationsRoot: tree.root,
    outputs: [3],
    digests: [2],
  }
  const challenger = addressOf("challenger")
  const [position, salt] = [5, bytes32("find salt")]
  const disputeId = gameIdOf(batchId, position, challenger)
  const traceRoot = bytes32("trace root")
  return {
    operations: OPERATIONS.map((operation, index) => ({
      index,
      operation: encodeAbiParameters([{ type: "tuple", components: OPERATION }], [operation]),
      leaf: operationLeaf(index, operation),
    })),
    operationsRoot: tree.root,
    program: encodeAbiParameters([{ type: "tuple", components: PROGRAM }], [program]),
    programRoot: programRootV1(program),
    traces: [1, 2, 5, 70].map((wires) => {
      const roots = Array.from({ length: wires }, (_, wire) => bytes32(`tensor ${wire}`))
      const leaves = roots.map((root, wire) => wireLeaf(wire, root))
      const trace = buildPairTree(leaves)
      const rows = [topRow(trace, wires), ...(trace.depth > 6 ? [rowUnder(trace, wires, trace.depth - 6, 1)] : [])]
      return { roots, leaves, root: trace.root, rows: rows.map((row) => shown(row, wires, trace.at(row.level, row.index))) }
    }),
    tensors: [1_000, 1_024, 5_000, 70_000].map((bytes) => {
      const { tree: chunks, count } = buildTensorTree(sampleTensor("uint8", [bytes]))
      const rows = [topRow(chunks, count), ...(chunks.depth > 6 ? [rowUnder(chunks, count, chunks.depth - 6, 1)] : [])]
      return { bytes, chunks: count, root: chunks.root, rows: rows.map((row) => shown(row, count, chunks.at(row.level, row.index))) }
    }),
    finds: [{ finder: challenger, batchId, position, salt, hash: findHash(challenger, batchId, position, salt) }],
    games: [
      {
        batchId,
        position,
        challenger,
        verifier: addressOf("verifier"),
        disputeId,
        verdictDisputeId: verdictGameIdOf(batchId, position, challenger, addressOf("verifier")),
      },
    ],
    traceHash: { disputeId, traceRoot, hash: structHash("Trace", { disputeId, traceRoot }) },
  }
}

function shown({ level, index, nodes }: Row<Hex>, count: number, node: Hex) {
  return { count, level, index, nodes, node }
}
