import type { Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"
import { ceilLog2 } from "./depth.ts"
import { buildTree, rootFromPath, type Tree, type TreeScheme } from "./positional.ts"

/** The scheme of every keccak tree that is not a batch: inputs of a job, verdicts of a batch. */
export const PAIR_SCHEME: TreeScheme<Hex> = {
  pad: hashWords(TAGS.empty),
  join: (left, right) => hashWords(TAGS.pair, left, right),
}

export function buildPairTree(leaves: readonly Hex[]): Tree<Hex> {
  return buildTree(PAIR_SCHEME, leaves, ceilLog2(leaves.length))
}

export type PairPathParams = { root: Hex; count: number; position: number; leaf: Hex; path: readonly Hex[] }

/** True when `leaf` is the `position`-th of `count` leaves under `root`. */
export function verifyPairPath({ root, count, position, leaf, path }: PairPathParams): boolean {
  const depth = ceilLog2(count)
  if (position >= count || path.length !== depth) return false
  return rootFromPath(PAIR_SCHEME, { leaf, position, depth, path }) === root
}
