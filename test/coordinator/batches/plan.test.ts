import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { buildShardTree, buildTopTree, leafPath, parseRanges, verifyLeaf } from "#protocol"
import { buildBatch, chooseShards } from "../../../coordinator/batches/plan.ts"

const A = "0x00000000000000000000000000000000000000aa"
const B = "0x00000000000000000000000000000000000000bb"
const ready = (shards: number[], receivedAtMs = 1_000) => shards.map((shard) => ({ shard, receivedAtMs }))
const base = { pending: [], nowMs: 1_000, maxShards: 64, maxAgeMs: 10_000 }

test("behavior: a batch waits for receipts of its window, and goes when none can come", () => {
  assert.equal(chooseShards({ ...base, ready: ready([0, 2]), pending: [1] }), undefined)
  assert.deepEqual(chooseShards({ ...base, ready: ready([0, 2]), pending: [64] }), [0, 2])
  assert.equal(chooseShards({ ...base, ready: [] }), undefined)
})

test("behavior: a receipt that waited long enough takes what is there with it", () => {
  assert.deepEqual(chooseShards({ ...base, ready: ready([3, 1]), pending: [2], nowMs: 11_000 }), [1, 3])
})

test("behavior: a full batch goes at once, and is never larger than asked for", () => {
  assert.deepEqual(chooseShards({ ...base, ready: ready([0, 1, 2]), pending: [3], maxShards: 2 }), [0, 1])
})

test("R5: a batch is a window of 64 shards from its first one", () => {
  const shards = fc.uniqueArray(fc.nat(400), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(shards, fc.integer({ min: 1, max: 200 }), (numbers, maxShards) => {
      const chosen = chooseShards({ ...base, ready: ready(numbers), maxShards })!
      assert.ok(chosen.length >= 1 && chosen.length <= Math.min(64, maxShards))
      assert.equal(chosen[0], Math.min(...numbers))
      assert.ok(chosen.at(-1)! - chosen[0]! < 64)
      assert.deepEqual(
        chosen,
        [...chosen].sort((a, b) => a - b),
      )
    }),
  )
})

test("R4: every leaf of a built batch opens to its root, and ranges add up the units of their shards", () => {
  const jobId = 7n
  const shardSize = 3
  const work = [
    { shard: 9, worker: B },
    { shard: 4, worker: A },
    { shard: 6, worker: B },
  ] as const
  const trees = new Map(
    work.map(({ shard, worker }) => {
      const leaves = Array.from({ length: shardSize }, (_, i) => ({
        taskIndex: shard * shardSize + i,
        worker,
        units: shard + i,
        inputCommitment: `0x${"11".repeat(32)}` as const,
        outputCommitment: `0x${"22".repeat(32)}` as const,
      }))
      return [shard, { leaves, tree: buildShardTree({ jobId, shardSize, leaves }) }] as const
    }),
  )
  const built = buildBatch(
    work.map(({ shard, worker }) => {
      const { root } = trees.get(shard)!.tree
      return { shard, worker, shardRoot: root.hash, units: root.units }
    }),
  )
  assert.equal(built.firstShard, 4)
  const ranges = parseRanges(built.ranges)
  assert.deepEqual(
    ranges.map(({ mask, units }) => ({ mask, units })),
    [
      { mask: 0b1n, units: 4 + 5 + 6 },
      { mask: 0b100100n, units: 6 + 7 + 8 + 9 + 10 + 11 },
    ],
  )
  const order = [4, 6, 9] as const
  const topTree = buildTopTree(order.map((shard) => trees.get(shard)!.tree.root))
  for (const [ordinal, shard] of order.entries()) {
    for (let offset = 0; offset < shardSize; offset++) {
      const { leaves, tree } = trees.get(shard)!
      const path = leafPath({ shardTree: tree, topTree, ordinal, offset })
      const position = ordinal * shardSize + offset
      const params = { root: built.root, jobId, shardSize, shards: 3, position, path }
      assert.equal(verifyLeaf({ ...params, leaf: leaves[offset]! }), true)
      assert.equal(verifyLeaf({ ...params, leaf: { ...leaves[offset]!, units: 99 } }), false)
    }
  }
})
