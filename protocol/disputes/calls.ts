import type { Hex } from "viem"
import type { Terms } from "../jobs/terms.ts"
import type { Batch } from "../messages/batches.ts"
import type { ChallengerMove } from "./challenger.ts"
import type { DefendantMove } from "./defendant.ts"
import type { GameRecord } from "./record.ts"
import { LINK_KINDS, type Links, type OpenProgram } from "./types.ts"

export type GameContext = { readonly record: GameRecord; readonly terms: Terms; readonly batch: Batch }

/** A move as a call of `IDisputeGame`. */
export type GameCall = { readonly functionName: GameFunction; readonly args: readonly unknown[] }

type GameFunction =
  | "pick"
  | "proveElement"
  | "proveLink"
  | "publish"
  | "reveal"
  | "revealTensor"
  | "revealInput"
  | "revealChunk"
  | "timeout"

export function challengerCall(
  move: Exclude<ChallengerMove, { move: "wait" | "concede" }>,
  { record, terms, batch }: GameContext,
  { program }: OpenProgram,
): GameCall {
  const { disputeId, about, shown } = record
  if (move.move === "pick") return { functionName: "pick", args: [disputeId, about, move.index, move.node, move.path] }
  const context = [disputeId, about, terms, batch, shown.published]
  if (move.move === "proveElement") return { functionName: "proveElement", args: [...context, move.proof] }
  const kind = LINK_KINDS.indexOf(move.kind)
  const args = [...context, program, shown.links, kind, BigInt(move.index), move.leaf, move.path]
  return { functionName: "proveLink", args }
}

/** `signature`: by a key of the defendant over its trace root; empty where it sends the call itself. */
export function defendantCall(
  move: Exclude<DefendantMove, { move: "wait" }>,
  { record }: Pick<GameContext, "record">,
  { program, links, signature = "0x" }: { program: OpenProgram; links: Links; signature?: Hex },
): GameCall {
  const { disputeId, about, shown } = record
  switch (move.move) {
    case "publish":
      return {
        functionName: "publish",
        args: [disputeId, about, program.program, links, move.traceRoot, move.row, signature],
      }
    case "reveal":
      return { functionName: "reveal", args: [disputeId, move.row] }
    case "revealTensor": {
      const { operation, path, treeRoot, row } = move
      return { functionName: "revealTensor", args: [disputeId, shown.published, operation, path, treeRoot, row] }
    }
    case "revealInput":
      return {
        functionName: "revealInput",
        args: [disputeId, shown.published, program.program, move.treeRoot, move.row],
      }
    case "revealChunk":
      return { functionName: "revealChunk", args: [disputeId, move.chunk] }
  }
}

export function timeoutCall({ record, terms, batch }: GameContext): GameCall {
  return { functionName: "timeout", args: [record.disputeId, record.about, terms, batch] }
}

/** Whose clock runs: silence loses for the challenger in Pick and Prove, for the defendant otherwise. */
export function isChallengersTurn({ turn }: GameRecord): boolean {
  return turn.phase === "Pick" || turn.phase === "Prove"
}

/** The roots that bind a task's result to its leaf (R6), out of a trace. */
export function linksOf(salt: Hex, roots: readonly Hex[], { program }: OpenProgram): Links {
  const at = (wires: readonly number[]) => wires.map((wire) => roots[wire]!)
  return {
    salt,
    inputs: roots.slice(0, program.inputs.length),
    outputs: at(program.outputs),
    digests: at(program.digests),
  }
}
