import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import type { Hex } from "viem"
import {
  batchLayout,
  buildShardTree,
  buildTopTree,
  committedRoot,
  type Leaf,
  leafPath,
  maskOf,
  placeOf,
  SUM_PAD,
  type SumNode,
  shardTasks,
  verifyLeaf,
} from "#protocol"
import { account, flipBit, word } from "../support.ts"

const JOB = 77n

type Shape = { shardSize: number; shards: number; lacking: number; bits: number[] }

const shapes: fc.Arbitrary<Shape> = fc.record({
  shardSize: fc.integer({ min: 1, max: 9 }),
  shards: fc.integer({ min: 1, max: 9 }),
  lacking: fc.nat(),
  bits: fc.uniqueArray(fc.nat(8), { minLength: 1, maxLength: 9 }),
})

function leafOf(taskIndex: number): Leaf {
  const byte = (taskIndex % 256).toString(16).padStart(2, "0")
  return {
    taskIndex,
    worker: account("0a"),
    units: taskIndex % 4,
    inputCommitment: word(byte),
    outputCommitment: word("cc"),
  }
}

function buildBatch({ shardSize, shards, lacking, bits }: Shape) {
  const plan = { tasks: shards * shardSize - (lacking % shardSize), shardSize }
  const kept = bits.filter((bit) => bit < shards)
  const layout = batchLayout({ plan, firstShard: 0, mask: maskOf(kept.length === 0 ? [0] : kept) })
  const trees = layout.shards.map((shard) => {
    const { first, count } = shardTasks(plan, shard)
    const leaves = Array.from({ length: count }, (_, i) => leafOf(first + i))
    return buildShardTree({ jobId: JOB, shardSize, leaves })
  })
  const topTree = buildTopTree(trees.map(({ root }) => root))
  const at = (position: number) => {
    const { ordinal, offset, taskIndex } = placeOf(layout, position)
    const path = leafPath({ shardTree: trees[ordinal]!, topTree, ordinal, offset })
    return { leaf: leafOf(taskIndex), path }
  }
  return { layout, shardSize, root: committedRoot(topTree.root), units: topTree.root.units, at }
}

test("property: every leaf verifies at its position and at no other (R3, R4)", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), (shape, pick) => {
      const { layout, shardSize, root, at } = buildBatch(shape)
      const own = pick % layout.size
      const given = { root, jobId: JOB, shardSize, shards: layout.shards.length, ...at(own) }
      for (let position = 0; position < layout.size; position++) {
        assert.equal(verifyLeaf({ ...given, position }), position === own)
      }
      assert.equal(verifyLeaf({ ...given, position: layout.shards.length * shardSize }), false)
      assert.equal(verifyLeaf({ ...given, position: own, jobId: JOB + 1n }), false)
    }),
  )
})

test("property: any changed field, unit, sibling or bit of the root fails (R4)", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), fc.nat(), fc.nat(255), (shape, pick, where, bit) => {
      const { layout, shardSize, root, at } = buildBatch(shape)
      const position = pick % layout.size
      const { leaf, path } = at(position)
      const given = { root, jobId: JOB, shardSize, shards: layout.shards.length, position, leaf, path }
      const changes: Partial<typeof given>[] = [
        { root: flipBit(root, bit) },
        { leaf: { ...leaf, taskIndex: leaf.taskIndex + 1 } },
        { leaf: { ...leaf, units: leaf.units + 1 } },
        { leaf: { ...leaf, worker: flipBit(leaf.worker, bit % 160) } },
        { leaf: { ...leaf, inputCommitment: flipBit(leaf.inputCommitment, bit) } },
        { leaf: { ...leaf, outputCommitment: flipBit(leaf.outputCommitment, bit) } },
        { path: [...path, SUM_PAD] },
      ]
      if (path.length > 0) {
        const i = where % path.length
        const swap = (node: SumNode) => path.map((old, j) => (j === i ? node : old))
        changes.push({ path: swap({ hash: flipBit(path[i]!.hash as Hex, bit), units: path[i]!.units }) })
        changes.push({ path: swap({ hash: path[i]!.hash, units: path[i]!.units + 1n }) })
        changes.push({ path: path.slice(1) })
      }
      assert.equal(verifyLeaf(given), true)
      for (const change of changes) assert.equal(verifyLeaf({ ...given, ...change }), false)
    }),
  )
})

test("property: a root's units are the sum of its leaves' (R4: honest leaves, inflated totals)", () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const { layout, at, units } = buildBatch(shape)
      let sum = 0n
      for (let position = 0; position < layout.size; position++) sum += BigInt(at(position).leaf.units)
      assert.equal(units, sum)
    }),
  )
})
