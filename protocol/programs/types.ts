import type { Hex } from "viem"

/** What `contracts/types/Program.sol` declares, field for field. */

/** Element type (ONNX number) and shape of a tensor. */
export type Header = { readonly dtype: number; readonly dims: readonly bigint[] }

/** What an operation reads: a wire of the trace, or a constant of the program. */
export type Operand = {
  /** 0 where `root` is set. */
  readonly wire: number
  /** Tensor root (R6) of a constant; zero for a wire. */
  readonly root: Hex
  readonly dtype: number
  /** The dims in which the operand is hashed: [..., N, K] for the second factor of MATMUL and MATMUL_INTEGER. */
  readonly dims: readonly bigint[]
}

/** Operation i of a program with n inputs puts out wire n + i, and reads lower wires only. */
export type Operation = {
  readonly code: number
  readonly attributes: readonly bigint[]
  readonly inputs: readonly Operand[]
  readonly output: Header
}

export type Program = {
  /** Wires 0 to inputs.length - 1. */
  readonly inputs: readonly Header[]
  readonly operations: number
  readonly operationsRoot: Hex
  /** Wires, in the model's order. */
  readonly outputs: readonly number[]
  /** Wires of the work digest (R7). */
  readonly digests: readonly number[]
}
