import assert from "node:assert/strict"
import { test } from "node:test"
import { type FateBatch, nextShard, shardFates } from "../../../coordinator/chain/follower/reflect.ts"

const A = "0x00000000000000000000000000000000000000aa"
const B = "0x00000000000000000000000000000000000000bb"
const batch = (given: Partial<FateBatch> = {}): FateBatch => ({
  batchId: 1n,
  firstShard: 4,
  state: "committed",
  own: false,
  reclaimed: 0n,
  released: 0n,
  ranges: [
    { worker: A, mask: 0b01n, voided: null },
    { worker: B, mask: 0b10n, voided: null },
  ],
  ...given,
})
const voided = (cause: "worker" | "coordinator" | "nobody"): FateBatch["ranges"] => [
  { worker: A, mask: 0b01n, voided: cause },
  { worker: B, mask: 0b10n, voided: null },
]

test("R24a: shards follow their batch; a range that was judged wrong frees its own alone", () => {
  assert.equal(shardFates([batch()]).get(4)?.state, "committed")
  assert.equal(shardFates([batch({ state: "attested" })]).get(5)?.state, "attested")
  const fates = shardFates([batch({ state: "final", ranges: voided("worker") })])
  assert.deepEqual(fates.get(4), { state: "free", batchId: 1n, worker: A, good: false })
  assert.equal(fates.get(5)?.state, "final")
})

test("R18: shards lost by the coordinator's fault wait for their worker, then are free and still good", () => {
  const lost = batch({ state: "forfeited" })
  assert.equal(shardFates([lost]).get(4)?.state, "void")
  assert.deepEqual(shardFates([{ ...lost, released: 0b01n }]).get(4), {
    state: "free",
    batchId: 1n,
    worker: A,
    good: true,
  })
  const silent = batch({ state: "final", ranges: voided("coordinator") })
  assert.equal(shardFates([silent]).get(4)?.state, "void")
  assert.equal(shardFates([silent]).get(5)?.state, "final")
})

test("R18: what its worker reclaimed belongs to the worker's batch; a worker's own lost batch frees at once", () => {
  const old = batch({ state: "forfeited", reclaimed: 0b01n })
  const own = batch({ batchId: 2n, own: true, ranges: [{ worker: A, mask: 0b01n, voided: null }] })
  const fates = shardFates([old, own])
  assert.deepEqual(fates.get(4), { state: "committed", batchId: 2n, worker: A })
  assert.equal(fates.get(5)?.state, "void")
  assert.equal(shardFates([old, { ...own, state: "forfeited" }]).get(4)?.state, "free")
})

test("behavior: a shard's row changes only where chain and row differ", () => {
  const committed = { state: "committed", batchId: 1n, worker: A } as const
  assert.equal(nextShard({ state: "committed", batchId: 1n }, committed, true), undefined)
  assert.deepEqual(nextShard({ state: "received", batchId: null }, committed, true), committed)
  // A lease that runs is none of the chain's business.
  assert.equal(nextShard({ state: "leased", batchId: null }, undefined, false), undefined)
  const bad = { state: "free", batchId: 1n, worker: A, good: false } as const
  assert.equal(nextShard({ state: "leased", batchId: null }, bad, false), undefined)
  assert.equal(nextShard({ state: "committed", batchId: 1n }, bad, true)?.state, "queued")
  // A reorg took the batch, or the claim period is over: the receipt is as good as before.
  assert.equal(nextShard({ state: "committed", batchId: 1n }, undefined, true)?.state, "received")
  assert.equal(nextShard({ state: "void", batchId: 1n }, { ...bad, good: true }, true)?.state, "received")
  assert.equal(nextShard({ state: "void", batchId: 1n }, { ...bad, good: true }, false)?.state, "queued")
})
