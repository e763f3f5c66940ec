import type { Hex } from "viem"
import { ceilLog2 } from "../trees/depth.ts"
import { rootFromPath, type Tree, treePath } from "../trees/positional.ts"
import type { Leaf } from "./leaf.ts"
import { committedRoot, leafNode, SUM_SCHEME, type SumNode } from "./sumTree.ts"

/** Siblings in the shard's tree, then in the tree above it (R4). */
export type LeafPathParams = { shardTree: Tree<SumNode>; topTree: Tree<SumNode>; ordinal: number; offset: number }

export function leafPath({ shardTree, topTree, ordinal, offset }: LeafPathParams): SumNode[] {
  return [...treePath(shardTree, offset), ...treePath(topTree, ordinal)]
}

export type VerifyLeafParams = {
  root: Hex
  jobId: bigint
  shardSize: number
  /** How many shards the batch has. */
  shards: number
  position: number
  leaf: Leaf
  path: readonly SumNode[]
}

/** True when the leaf stands at that position under the committed root. The task index is the caller's to check (R5). */
export function verifyLeaf({ root, jobId, shardSize, shards, position, leaf, path }: VerifyLeafParams): boolean {
  const shardDepth = ceilLog2(shardSize)
  const depth = shardDepth + ceilLog2(shards)
  const ordinal = Math.floor(position / shardSize)
  if (position < 0 || ordinal >= shards || path.length !== depth) return false
  const place = ordinal * 2 ** shardDepth + (position % shardSize)
  return committedRoot(rootFromPath(SUM_SCHEME, { leaf: leafNode(jobId, leaf), position: place, depth, path })) === root
}
