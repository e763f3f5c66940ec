import type { Hex } from "viem"
import type { Tensor } from "../commitments/tensor.ts"
import type { Operation, Program } from "../programs/types.ts"
import type { Row } from "./rows.ts"
import type { Opened } from "./tensorTree.ts"

/** What `contracts/interfaces/IDisputeGame.sol` declares, as far as players read or write it. */

export const GAME_PHASES = ["None", "Publish", "Pick", "Reveal", "Tensor", "Chunk", "Prove", "Over"] as const
export type GamePhase = (typeof GAME_PHASES)[number]

export const GAME_OUTCOMES = ["none", "refuted", "upheld", "void"] as const
export type GameOutcome = (typeof GAME_OUTCOMES)[number]

export const GAME_KINDS = ["find", "mismatch", "verdict"] as const
export type GameKind = (typeof GAME_KINDS)[number]

export const LINK_KINDS = ["input", "output", "digest"] as const
export type LinkKind = (typeof LINK_KINDS)[number]

/** Where a dispute stands: the node is at `level` above the leaves of its tree, the `index`-th there. */
export type Turn = {
  readonly phase: GamePhase
  /** In a tensor's tree; false: in the trace's. */
  readonly inside: boolean
  readonly level: number
  readonly index: number
}

export type Links = {
  readonly salt: Hex
  readonly inputs: readonly Hex[]
  readonly outputs: readonly Hex[]
  readonly digests: readonly Hex[]
}

export type Published = {
  readonly programRoot: Hex
  readonly operationsRoot: Hex
  readonly traceRoot: Hex
  readonly links: Hex
  readonly inputs: number
  readonly operations: number
}

/** What has been put on the table in a dispute, read from its events. */
export type Shown = {
  readonly published?: Published
  readonly links?: Links
  /** From the root down. */
  readonly traceRows: readonly Row<Hex>[]
  readonly tensor?: { readonly wire: number; readonly rows: readonly Row<Hex>[] }
  readonly chunk?: { readonly index: number; readonly data: Hex }
  /** How far the referee has come in long chains. */
  readonly chains: readonly { readonly operation: number; readonly element: number; readonly upTo: number }[]
}

export const NOTHING_SHOWN: Shown = { traceRows: [], chains: [] }

/** A program with all that an opening of it needs. */
export type OpenProgram = {
  readonly program: Program
  readonly operations: readonly Operation[]
  /** By tensor root, in the layout in which operands are hashed. */
  readonly constants: ReadonlyMap<Hex, Tensor>
}

export type OperandPath = { readonly tracePath: readonly Hex[]; readonly chunkPath: readonly Hex[] }

export type ElementProof = {
  readonly index: number
  readonly operation: Operation
  readonly path: readonly Hex[]
  readonly element: bigint
  readonly opened: readonly Opened[]
  readonly operands: readonly OperandPath[]
  readonly tracePath: readonly Hex[]
  readonly chunk: Hex
  readonly chunkPath: readonly Hex[]
  readonly upTo: bigint
}

/** The element at which a challenger holds a statement to be wrong; values as integers, as the contract emits them. */
export type Finding = {
  readonly wire: number
  readonly operation: number
  readonly code: number
  readonly element: number
  readonly claimed: bigint
  readonly computed: bigint
  /** A byte behind the tensor's end is not 0, and every element may be right. */
  readonly fill: boolean
}
