import { eq } from "drizzle-orm"
import type { Hex } from "viem"
import {
  type BatchLayout,
  buildShardTree,
  buildTopTree,
  type Leaf,
  type Lease,
  leafPath,
  placeOf,
  type Receipt,
  type SumNode,
  type Terms,
  type Tree,
  treePath,
  type WireLeaf,
} from "#protocol"
import type { Db } from "../store/database.ts"
import { batchPlans } from "../store/schema.ts"
import { leaseOf, storedShards } from "./batchData.ts"
import { type BatchRow, layoutOf, maskOfRanges } from "./batchRow.ts"

/** The lease and receipt of one shard, as the contracts take them. */
export type SignedShard = { lease: Lease; leaseSignature: Hex; receipt: Receipt; receiptSignature: Hex }

/** A batch of ours with everything that its root commits to, out of the database. */
export type OpenBatch = {
  layout: BatchLayout
  /** Roots of the shards, ascending: the row of R4. */
  row: SumNode[]
  leafAt(position: number): WireLeaf & Leaf
  /** Siblings from the leaf to the committed root. */
  pathOf(position: number): SumNode[]
  /** Siblings of a shard's root in the top tree. */
  topPath(ordinal: number): SumNode[]
  signedShard(ordinal: number): SignedShard
}

/** Undefined where a receipt is missing: a batch that another built. */
export async function openBatch(db: Db, batch: BatchRow, terms: Terms): Promise<OpenBatch | undefined> {
  const [plan] = await db
    .select({ leases: batchPlans.leases })
    .from(batchPlans)
    .where(eq(batchPlans.batchId, batch.batchId))
  if (!plan) return undefined
  const stored = await storedShards(
    db,
    plan.leases.map(({ leaseHash }) => leaseHash),
  )
  const layout = layoutOf(terms, { firstShard: batch.firstShard, mask: maskOfRanges(batch.ranges) })
  if (stored.length !== layout.shards.length) return undefined
  const row = stored.map(({ receipt }) => ({ hash: receipt.shardRoot, units: BigInt(receipt.units) }))
  const topTree = buildTopTree(row)
  const trees = new Map<number, Tree<SumNode>>()
  const leavesOf = (ordinal: number): (WireLeaf & Leaf)[] => {
    const { receipt } = stored[ordinal]!
    return receipt.leaves.map((leaf) => ({ ...leaf, worker: receipt.worker }))
  }
  const shardTree = (ordinal: number): Tree<SumNode> => {
    const tree =
      trees.get(ordinal) ??
      buildShardTree({ jobId: batch.jobId, shardSize: terms.shardSize, leaves: leavesOf(ordinal) })
    trees.set(ordinal, tree)
    return tree
  }
  return {
    layout,
    row,
    leafAt(position) {
      const { ordinal, offset } = placeOf(layout, position)
      return leavesOf(ordinal)[offset]!
    },
    pathOf(position) {
      const { ordinal, offset } = placeOf(layout, position)
      return leafPath({ shardTree: shardTree(ordinal), topTree, ordinal, offset })
    },
    topPath: (ordinal) => treePath(topTree, ordinal),
    signedShard(ordinal) {
      const { lease, receipt } = stored[ordinal]!
      return {
        lease: leaseOf({ lease }),
        leaseSignature: lease.signature,
        receipt: { leaseHash: receipt.leaseHash, shardRoot: receipt.shardRoot, units: BigInt(receipt.units) },
        receiptSignature: receipt.signature,
      }
    },
  }
}
