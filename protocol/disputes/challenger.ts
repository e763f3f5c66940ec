import type { Hex } from "viem"
import { bytesOf, hexOf } from "../hashing/hex.ts"
import { PAIR_SCHEME } from "../trees/pairTree.ts"
import { type Tree, type TreeScheme, treePath } from "../trees/positional.ts"
import { elementProof, findElement } from "./elementProof.ts"
import { levelBelow, type Row, rowPath } from "./rows.ts"
import { buildTensorTree, chunkAt, TENSOR_SCHEME } from "./tensorTree.ts"
import { firstDifferingWire, type Trace, wireLeaf } from "./trace.ts"
import type { ElementProof, Finding, LinkKind, OpenProgram, Shown, Turn } from "./types.ts"

export type ChallengerMove =
  /** It is not the challenger's turn. */
  | { readonly move: "wait" }
  /** All that was shown is as the challenger computed it: there is nothing to win. */
  | { readonly move: "concede" }
  | { readonly move: "pick"; readonly index: number; readonly node: Hex; readonly path: readonly Hex[] }
  | { readonly move: "proveElement"; readonly proof: ElementProof; readonly finding: Finding }
  | {
      readonly move: "proveLink"
      readonly kind: LinkKind
      readonly index: number
      readonly leaf: Hex
      readonly path: readonly Hex[]
    }

export type ChallengerParams = {
  readonly turn: Turn
  readonly shown: Shown
  readonly own: Trace
  readonly program: OpenProgram
  /** The other side's whole trace, where it is known; used only if it is the one that was published. */
  readonly given?: Trace | undefined
}

/** What the challenger does next: go for the first wire that differs, and in it for the first chunk. */
export function nextChallengerMove(params: ChallengerParams): ChallengerMove {
  const { turn, shown, own, given } = params
  const { published } = shown
  if ((turn.phase !== "Pick" && turn.phase !== "Prove") || !published) return { move: "wait" }
  if (published.traceRoot === own.tree.root) return falseResult(params)
  if (given?.tree.root === published.traceRoot) return proveGiven(params, given)
  if (turn.phase === "Prove") return proveShown(params)
  return turn.inside ? pickChunk(params) : pickWire(params)
}

/** The trace is right, so what was published as its results is not. */
function falseResult({ shown, own, program: { program } }: ChallengerParams): ChallengerMove {
  const wiresOf = { output: program.outputs, digest: program.digests }
  const roots = { output: shown.links!.outputs, digest: shown.links!.digests }
  for (const kind of ["output", "digest"] as const) {
    const index = wiresOf[kind].findIndex((wire, i) => roots[kind][i] !== own.roots[wire])
    if (index === -1) continue
    const wire = wiresOf[kind][index]!
    const leaf = wireLeaf(wire, own.roots[wire]!)
    return { move: "proveLink", kind, index, leaf, path: treePath(own.tree, wire) }
  }
  return { move: "concede" }
}

function proveGiven(params: ChallengerParams, given: Trace): ChallengerMove {
  const { own, program, shown } = params
  const wire = firstDifferingWire(own, given)!
  if (wire < program.program.inputs.length)
    return falseInput(wire, wireLeaf(wire, given.roots[wire]!), treePath(given.tree, wire))
  const tree = buildTensorTree(given.tensors[wire]!)
  for (let chunk = 0; chunk < tree.count; chunk++) {
    const claimed = chunkAt(given.tensors[wire]!, chunk)
    const finding = findElement({ program, own, wire, chunk, claimed })
    if (!finding) continue
    const chunkPath = treePath(tree.tree, chunk)
    const { chains } = shown
    const opening = { program, own, trace: given.tree, finding, chunk: hexOf(claimed), chunkPath, chains }
    return { move: "proveElement", proof: elementProof(opening), finding }
  }
  return { move: "concede" }
}

function pickWire({ shown, own, program }: ChallengerParams): ChallengerMove {
  const row = shown.traceRows.at(-1)!
  const at = firstDifference(own.tree, row)
  if (at === undefined) return { move: "concede" }
  if (levelBelow(row.level) === 0 && at < program.program.inputs.length) {
    return falseInput(at, nodeOf(row, at), treePath(overlay(PAIR_SCHEME, own.tree, shown.traceRows), at))
  }
  return pick(PAIR_SCHEME, row, at)
}

function pickChunk({ shown, own }: ChallengerParams): ChallengerMove {
  const { wire, rows } = shown.tensor!
  const row = rows.at(-1)!
  const at = firstDifference(buildTensorTree(own.tensors[wire]!).tree, row)
  return at === undefined ? { move: "concede" } : pick(TENSOR_SCHEME, row, at)
}

function proveShown({ shown, own, program }: ChallengerParams): ChallengerMove {
  const { tensor, chunk, chains, traceRows } = shown
  const { wire, rows } = tensor!
  const finding = findElement({ program, own, wire, chunk: chunk!.index, claimed: bytesOf(chunk!.data) })
  if (!finding) return { move: "concede" }
  const trace = overlay(PAIR_SCHEME, own.tree, traceRows)
  const bytes = overlay(TENSOR_SCHEME, buildTensorTree(own.tensors[wire]!).tree, rows)
  const chunkPath = treePath(bytes, chunk!.index)
  const proof = elementProof({ program, own, trace, finding, chunk: chunk!.data, chunkPath, chains })
  return { move: "proveElement", proof, finding }
}

/** The input that was published against the statement is bound to it, so a trace that begins with another is false. */
function falseInput(index: number, leaf: Hex, path: readonly Hex[]): ChallengerMove {
  return { move: "proveLink", kind: "input", index, leaf, path }
}

function pick(scheme: TreeScheme<Hex>, row: Row<Hex>, index: number): ChallengerMove {
  return { move: "pick", index, node: nodeOf(row, index), path: rowPath(scheme, row, index) }
}

function firstDifference(own: Tree<Hex>, row: Row<Hex>): number | undefined {
  const first = firstIndex(row)
  const i = row.nodes.findIndex((node, at) => node !== own.at(levelBelow(row.level), first + at))
  return i === -1 ? undefined : first + i
}

function firstIndex({ level, index }: Row<Hex>): number {
  return index * 2 ** (level - levelBelow(level))
}

function nodeOf(row: Row<Hex>, index: number): Hex {
  return row.nodes[index - firstIndex(row)]!
}

/**
 * The other side's tree as far as it is known: the rows that it showed, and the challenger's own nodes elsewhere. Left of
 * the leaf that the rows lead to the two are the same, which is all that paths to it and to leaves left of it need.
 */
function overlay(scheme: TreeScheme<Hex>, own: Tree<Hex>, rows: readonly Row<Hex>[]): Tree<Hex> {
  const at = (level: number, index: number): Hex => {
    for (const row of rows) {
      const low = levelBelow(row.level)
      if (level < low || level > row.level || Math.floor(index / 2 ** (row.level - level)) !== row.index) continue
      return nodeInRow(scheme, row, level - low, index)
    }
    return own.at(level, index)
  }
  return { depth: own.depth, root: at(own.depth, 0), at }
}

function nodeInRow(scheme: TreeScheme<Hex>, row: Row<Hex>, up: number, index: number): Hex {
  const low = levelBelow(row.level)
  let { pad } = scheme
  for (let i = 0; i < low; i++) pad = scheme.join(pad, pad)
  let [nodes, first] = [row.nodes, firstIndex(row)]
  for (let i = 0; i < up; i++) {
    const below = nodes
    nodes = Array.from({ length: Math.ceil(below.length / 2) }, (_, j) =>
      scheme.join(below[2 * j]!, below[2 * j + 1] ?? pad),
    )
    pad = scheme.join(pad, pad)
    first /= 2
  }
  return nodes[index - first] ?? pad
}
