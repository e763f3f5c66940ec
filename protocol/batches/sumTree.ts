import type { Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"
import { ceilLog2 } from "../trees/depth.ts"
import { buildTree, type Tree, type TreeScheme } from "../trees/positional.ts"
import { type Leaf, leafHash } from "./leaf.ts"

/** A node that carries how many units lie under it (R4): *honest leaves, inflated totals*. Solidity: LeafNode. */
export type SumNode = { readonly hash: Hex; readonly units: bigint }

export const SUM_PAD: SumNode = { hash: hashWords(TAGS.pad), units: 0n }

export const SUM_SCHEME: TreeScheme<SumNode> = {
  pad: SUM_PAD,
  join: (left, right) => {
    const units = left.units + right.units
    checkUint("units", 64, units)
    return { hash: hashWords(TAGS.node, left.hash, left.units, right.hash, right.units), units }
  },
}

export function leafNode(jobId: bigint, leaf: Leaf): SumNode {
  return { hash: leafHash(jobId, leaf), units: BigInt(leaf.units) }
}

export type ShardTreeParams = { jobId: bigint; shardSize: number; leaves: readonly Leaf[] }

/** The tree of one shard's leaves in task order; its depth comes from S even where the last shard is shorter. */
export function buildShardTree({ jobId, shardSize, leaves }: ShardTreeParams): Tree<SumNode> {
  return buildTree(
    SUM_SCHEME,
    leaves.map((leaf) => leafNode(jobId, leaf)),
    ceilLog2(shardSize),
  )
}

/** The tree above: the roots of a batch's shards (its shard row), ascending by shard. */
export function buildTopTree(row: readonly SumNode[]): Tree<SumNode> {
  return buildTree(SUM_SCHEME, row, ceilLog2(row.length))
}

/** What `commitBatch` takes: `H(ROOT, tree root, units)`. */
export function committedRoot({ hash, units }: SumNode): Hex {
  checkUint("units", 64, units)
  return hashWords(TAGS.root, hash, units)
}
