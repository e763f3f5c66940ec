import { encodeAbiParameters, type Hex } from "viem"
import { bytesOf } from "../hashing/hex.ts"
import { keccakHex } from "../hashing/keccak.ts"
import { TAGS } from "../hashing/tags.ts"
import { buildPairTree } from "../trees/pairTree.ts"
import type { Tree } from "../trees/positional.ts"
import type { Operation, Program } from "./types.ts"

/** The version of `Terms.programRoot` (R2) whose root names a program rather than a file. */
export const PROGRAM_VERSION_1 = 1

const HEADER = [
  { name: "dtype", type: "uint8" },
  { name: "dims", type: "uint64[]" },
] as const

const OPERAND = [
  { name: "wire", type: "uint32" },
  { name: "root", type: "bytes32" },
  { name: "dtype", type: "uint8" },
  { name: "dims", type: "uint64[]" },
] as const

export const OPERATION = [
  { name: "code", type: "uint16" },
  { name: "attributes", type: "int64[]" },
  { name: "inputs", type: "tuple[]", components: OPERAND },
  { name: "output", type: "tuple", components: HEADER },
] as const

export const PROGRAM = [
  { name: "inputs", type: "tuple[]", components: HEADER },
  { name: "operations", type: "uint32" },
  { name: "operationsRoot", type: "bytes32" },
  { name: "outputs", type: "uint32[]" },
  { name: "digests", type: "uint32[]" },
] as const

const OPERATION_LEAF = [{ type: "bytes32" }, { type: "uint256" }, { type: "tuple", components: OPERATION }] as const
const PROGRAM_ROOT = [{ type: "bytes32" }, { type: "uint256" }, { type: "tuple", components: PROGRAM }] as const

/** `keccak256(abi.encode("assay.operation", index, operation))`: one path opens all that the referee has to know of it. */
export function operationLeaf(index: number, operation: Operation): Hex {
  return keccakHex(bytesOf(encodeAbiParameters(OPERATION_LEAF, [TAGS.operation, BigInt(index), operation])))
}

/** The tree behind `Program.operationsRoot`. */
export function buildOperationTree(operations: readonly Operation[]): Tree<Hex> {
  return buildPairTree(operations.map((operation, index) => operationLeaf(index, operation)))
}

/** `keccak256(abi.encode("assay.program", 1, program))`. */
export function programRootV1(program: Program): Hex {
  return keccakHex(bytesOf(encodeAbiParameters(PROGRAM_ROOT, [TAGS.program, BigInt(PROGRAM_VERSION_1), program])))
}
