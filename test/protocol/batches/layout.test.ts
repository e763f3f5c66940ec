import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { batchLayout, LayoutError, maskOf, placeOf, positionOf, shardCount, shardLengths } from "#protocol"

/** A job of any shape and a batch of it: any shards within 64 of the first, with holes, with or without the last. */
const batches = fc
  .record({
    shardSize: fc.integer({ min: 1, max: 1024 }),
    shards: fc.integer({ min: 1, max: 200 }),
    lacking: fc.nat(),
    first: fc.nat(),
    bits: fc.uniqueArray(fc.nat(63), { minLength: 1, maxLength: 64 }),
    withLast: fc.boolean(),
  })
  .map(({ shardSize, shards, lacking, first, bits, withLast }) => {
    const plan = { tasks: shards * shardSize - (lacking % shardSize), shardSize }
    const firstShard = withLast ? Math.max(0, shards - 1 - (first % 64)) : first % shards
    const kept = bits.filter((bit) => firstShard + bit < shards)
    if (withLast) kept.push(shards - 1 - firstShard)
    return { plan, firstShard, mask: maskOf(kept.length === 0 ? [0] : kept) }
  })

test("property: positions of a batch and its tasks are a bijection, holes and a short last shard included (R5)", () => {
  fc.assert(
    fc.property(batches, (params) => {
      const layout = batchLayout(params)
      const expected = layout.shards.flatMap((shard) => {
        const first = shard * params.plan.shardSize
        const count = Math.min(params.plan.shardSize, params.plan.tasks - first)
        return Array.from({ length: count }, (_, i) => first + i)
      })
      const tasks = Array.from({ length: layout.size }, (_, position) => placeOf(layout, position).taskIndex)
      assert.deepEqual(tasks, expected, "in task order, none twice, none left out")
      const step = Math.max(1, Math.floor(layout.size / 50))
      for (let position = 0; position < layout.size; position += step) {
        const { taskIndex, shard, ordinal, offset } = placeOf(layout, position)
        assert.equal(positionOf(layout, taskIndex), position)
        assert.equal(layout.shards[ordinal], shard)
        assert.equal(ordinal * params.plan.shardSize + offset, position)
      }
      assert.equal(
        shardLengths(layout).reduce((a, b) => a + b, 0),
        layout.size,
      )
      assert.throws(() => placeOf(layout, layout.size), LayoutError)
    }),
  )
})

test("property: a task that is not in the batch has no position", () => {
  fc.assert(
    fc.property(batches, fc.nat(), (params, any) => {
      const layout = batchLayout(params)
      const taskIndex = any % (params.plan.tasks + 10)
      const inside =
        layout.shards.includes(Math.floor(taskIndex / params.plan.shardSize)) && taskIndex < params.plan.tasks
      assert.equal(positionOf(layout, taskIndex) !== undefined, inside)
    }),
  )
})

test("error: a batch without shards, or with one that the job does not have", () => {
  const plan = { tasks: 20, shardSize: 8 }
  assert.equal(shardCount(plan), 3)
  assert.throws(() => batchLayout({ plan, firstShard: 0, mask: 0n }), { code: "E_BATCH_EMPTY" })
  assert.throws(() => batchLayout({ plan, firstShard: 1, mask: 0b101n }), { code: "E_BATCH_SHARD" })
})
