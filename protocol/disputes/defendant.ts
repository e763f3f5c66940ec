import type { Hex } from "viem"
import { hexOf } from "../hashing/hex.ts"
import { buildOperationTree } from "../programs/roots.ts"
import type { Operation } from "../programs/types.ts"
import { treePath } from "../trees/positional.ts"
import { rowUnder, topRow } from "./rows.ts"
import { buildTensorTree, chunkAt } from "./tensorTree.ts"
import type { Trace } from "./trace.ts"
import type { OpenProgram, Shown, Turn } from "./types.ts"

export type DefendantMove =
  | { readonly move: "wait" }
  | { readonly move: "publish"; readonly traceRoot: Hex; readonly row: readonly Hex[] }
  | { readonly move: "reveal"; readonly row: readonly Hex[] }
  | {
      readonly move: "revealTensor"
      readonly operation: Operation
      readonly path: readonly Hex[]
      readonly treeRoot: Hex
      readonly row: readonly Hex[]
    }
  | { readonly move: "revealInput"; readonly treeRoot: Hex; readonly row: readonly Hex[] }
  | { readonly move: "revealChunk"; readonly chunk: Hex }

export type DefendantParams = {
  readonly turn: Turn
  readonly shown: Shown
  readonly own: Trace
  readonly program: OpenProgram
}

/** What the one whose statement is disputed has to show next, out of its own trace. */
export function nextDefendantMove({ turn, shown, own, program }: DefendantParams): DefendantMove {
  const { level, index } = turn
  if (turn.phase === "Publish")
    return { move: "publish", traceRoot: own.tree.root, row: topRow(own.tree, own.roots.length).nodes }
  if (turn.phase === "Reveal" && !turn.inside)
    return { move: "reveal", row: rowUnder(own.tree, own.roots.length, level, index).nodes }
  if (turn.phase === "Reveal") {
    const { tree, count } = buildTensorTree(own.tensors[shown.tensor!.wire]!)
    return { move: "reveal", row: rowUnder(tree, count, level, index).nodes }
  }
  if (turn.phase === "Tensor") return revealTensor(own, program, index)
  if (turn.phase === "Chunk")
    return { move: "revealChunk", chunk: hexOf(chunkAt(own.tensors[shown.tensor!.wire]!, index)) }
  return { move: "wait" }
}

function revealTensor(own: Trace, { program, operations }: OpenProgram, wire: number): DefendantMove {
  const { tree, count } = buildTensorTree(own.tensors[wire]!)
  const shown = { treeRoot: tree.root, row: topRow(tree, count).nodes }
  const index = wire - program.inputs.length
  if (index < 0) return { move: "revealInput", ...shown }
  const path = treePath(buildOperationTree(operations), index)
  return { move: "revealTensor", operation: operations[index]!, path, ...shown }
}
