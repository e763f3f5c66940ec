import assert from "node:assert/strict"
import { after, test } from "node:test"
import fc from "fast-check"
import { createRunner, createSampleOrder, EngineError, samplesOf } from "#engine"
import { createBuilder } from "#engine/program/builder.ts"
import { createOps } from "#engine/program/ops.ts"
import { writeProgram } from "#engine/program/writeProgram.ts"
import { sampleIndices } from "#engine/train/sampleOrder.ts"
import { sha256 } from "../support/graphs.ts"
import { intTensor } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

test("behavior: every epoch of every stream meets every sample once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 0, max: 2 ** 31 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 0, max: 70 }),
      (count, seed, slot, epoch) => {
        const order = createSampleOrder(count, seed)
        // Batches of one: the positions of one epoch.
        const seen = Array.from(
          { length: count },
          (_, i) => samplesOf(order, { slot: BigInt(slot), cursor: BigInt(epoch * count + i), batch: 1 })[0]!,
        )
        assert.deepEqual(
          seen.sort((a, b) => a - b),
          [...new Array(count).keys()],
        )
      },
    ),
    { seed: 1, numRuns: 200 },
  )
})

test("behavior: the graph gathers the samples that the formula names", async () => {
  for (const [count, batch] of [
    [1, 2],
    [7, 3],
    [1000, 16],
    [2 ** 31 - 1, 4],
  ] as const) {
    const order = createSampleOrder(count, 5)
    const builder = createBuilder()
    const o = createOps(builder)
    const inputs = [
      { name: "slot", dtype: "int64", dims: [1] },
      { name: "cursor", dtype: "int64", dims: [1] },
    ] as const
    const [slot, cursor] = inputs.map(({ name, dtype, dims }) => builder.input(name, dtype, dims))
    const indices = sampleIndices(o, order, slot!, cursor!, batch)
    const bytes = writeProgram(builder, inputs, [["indices", indices]], [], "order")
    await runner.load(bytes, sha256(bytes))
    for (const [s, c] of [
      [0, 0],
      [1, 5],
      [12345, 678901],
      [2 ** 31, 2 ** 40],
    ] as const) {
      const [got] = await runner.run(sha256(bytes), [intTensor([1], [s]), intTensor([1], [c])])
      const numbers = Array.from(new BigInt64Array(new Uint8Array(got!.data).buffer), Number)
      assert.deepEqual(numbers, samplesOf(order, { slot: BigInt(s), cursor: BigInt(c), batch }))
    }
  }
})

test("error: a data set of no samples, or of more than exact arithmetic holds", () => {
  for (const count of [0, 2 ** 31, 1.5])
    assert.throws(
      () => createSampleOrder(count, 1),
      (error: unknown) => error instanceof EngineError && error.detail.code === "E_TRAIN_OPTION",
    )
})
