import assert from "node:assert/strict"
import { after, test } from "node:test"
import fc from "fast-check"
import {
  buildSegment,
  createFeed,
  createRunner,
  createSampleOrder,
  EngineError,
  initialState,
  samplesOf,
} from "#engine"
import { bytesPerElement, elementCount, type Tensor, tensorRoot } from "#protocol"
import { createShardOrder, type DataShards, fedName } from "../../../engine/train/dataShards.ts"
import { cnn, mlp, transformer } from "./networks.ts"
import { floatTensor, intTensor, segmentRunner } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

type Columns = Readonly<Record<string, Tensor>>

/** The rows of a data set, cut into parts of as many. */
function cut(data: Columns, shards: number): DataShards {
  const samples = Object.values(data)[0]!.dims[0]! / shards
  const part = ({ dtype, dims, data: bytes }: Tensor, shard: number): Tensor => {
    const size = samples * elementCount(dims.slice(1)) * bytesPerElement(dtype)
    return { dtype, dims: [samples, ...dims.slice(1)], data: bytes.slice(shard * size, (shard + 1) * size) }
  }
  return {
    shards,
    samples,
    seed: 7,
    read: async (shard) => Object.fromEntries(Object.entries(data).map(([name, one]) => [name, part(one, shard)])),
  }
}

const sampleOf = (data: Columns) =>
  Object.fromEntries(Object.entries(data).map(([name, { dtype, dims }]) => [name, { dtype, dims: dims.slice(1) }]))

for (const [name, make] of Object.entries({ mlp, cnn, transformer }))
  test(`behavior: the ${name} learns the same bits from samples that it is fed as from data in its program`, async () => {
    const { training } = make()
    const { data, seed: _, ...rest } = { ...training, optimizer: { kind: "adamw" } as const }
    const [rates, steps] = [[0.01, 0.02], 2]
    const within = buildSegment({ ...rest, data, seed: 7 }, steps)
    const without = buildSegment({ ...rest, fed: sampleOf(data) }, steps)
    assert.ok(without.bytes.length < within.bytes.length)
    const feed = createFeed(cut(data, 1), { fed: without.fed, batch: training.batch })
    const [one, other] = [await segmentRunner(runner, within), await segmentRunner(runner, without)]
    let state = initialState(within, training.model, 3)
    for (let done = 0; done < 3; done++) {
      const fed = await feed({ slot: 3, cursor: BigInt(done * steps) })
      const [left, right] = [
        await one(state, rates),
        await other(
          state,
          rates,
          without.fed.map(({ name: column }) => fed[column]!),
        ),
      ]
      assert.deepEqual(right.state.map(tensorRoot), left.state.map(tensorRoot))
      assert.deepEqual(right.losses, left.losses)
      state = left.state
    }
  })

test("invariant: in an epoch a stream meets every sample of every shard once, shard after shard", () => {
  fc.assert(
    fc.property(
      fc.record({ shards: fc.integer({ min: 1, max: 9 }), samples: fc.integer({ min: 1, max: 30 }), seed: fc.nat() }),
      fc.integer({ min: 0, max: 63 }),
      fc.integer({ min: 0, max: 200 }),
      (data, slot, epoch) => {
        const place = createShardOrder(data)
        const size = data.shards * data.samples
        const met = Array.from({ length: size }, (_, i) => place(slot, BigInt(epoch * size + i)))
        assert.equal(new Set(met.map(({ shard, row }) => shard * data.samples + row)).size, size)
        for (let i = 0; i < size; i += data.samples) {
          assert.equal(new Set(met.slice(i, i + data.samples).map(({ shard }) => shard)).size, 1)
        }
      },
    ),
  )
})

test("behavior: a feed is the samples of its steps in order, whichever shards they are in", async () => {
  const count = 24
  const numbers = Array.from({ length: count }, (_, i) => i)
  const data = {
    x: floatTensor(
      [count, 2],
      numbers.flatMap((i) => [i, -i]),
    ),
    y: intTensor([count], numbers),
  }
  const shards = cut(data, 4)
  const fed = [
    { name: fedName("x"), dtype: "float32", dims: [15, 2] },
    { name: fedName("y"), dtype: "int64", dims: [15] },
  ] as const
  const given = await createFeed(shards, { fed, batch: 5 })({ slot: 2, cursor: 3n })
  const place = createShardOrder(shards)
  const expected = Array.from({ length: 15 }, (_, i) => {
    const { shard, row } = place(2, 15n + BigInt(i))
    return shard * 6 + row
  })
  assert.ok(new Set(expected.map((sample) => Math.floor(sample / 6))).size > 1, "of more than one shard")
  assert.deepEqual(
    given[fedName("x")],
    floatTensor(
      [15, 2],
      expected.flatMap((i) => [i, -i]),
    ),
  )
  assert.deepEqual(given[fedName("y")], intTensor([15], expected))
  const alone = createShardOrder({ shards: 1, samples: count, seed: 7 })
  assert.deepEqual(
    samplesOf(createSampleOrder(count, 7), { slot: 1n, cursor: 4n, batch: 5 }),
    Array.from({ length: 5 }, (_, i) => alone(1, 20n + BigInt(i)).row),
    "one shard is met in the order of a data set in a program",
  )
})

test("error: a shard that is not as the others is named", async () => {
  const data = { x: floatTensor([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]) }
  const fed = [{ name: fedName("x"), dtype: "float32", dims: [2, 3] }] as const
  await assert.rejects(
    createFeed(cut(data, 2), { fed, batch: 2 })({ slot: 0, cursor: 0n }),
    (error) => error instanceof EngineError && error.code === "E_TRAIN_SHAPE" && /float32 \[2,2\]/.test(error.message),
  )
})
