import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import type { Hex } from "viem"
import { buildInputTree, inputPath, treeMultiproof, unpackRange } from "#protocol"
import { createPeers } from "../../worker/api/otherPeers.ts"
import type { Peer } from "../../worker/api/peer.ts"
import { limitReached } from "../../worker/leases/limits.ts"
import type { LeaseRecord, SignedRecord } from "../../worker/records/record.ts"
import { commitArgs, planReclaims, planSelfCommits } from "../../worker/selfCommit/plan.ts"
import { taskPaths } from "../../worker/selfCommit/taskPaths.ts"
import { buildJob, NOW, type TestJob, WORKER } from "./support/job.ts"

const HASH: Hex = `0x${"77".repeat(32)}`

async function record(job: TestJob, shard: number, change: Partial<LeaseRecord> = {}): Promise<SignedRecord> {
  const bundle = await job.lease(shard)
  const leaves = bundle.inputCommitments.map((inputCommitment, i) => ({
    taskIndex: bundle.firstTask + i,
    units: 1,
    inputCommitment,
    outputCommitment: HASH,
    digestPart: HASH,
  }))
  const receipt = { leaseHash: HASH, shardRoot: HASH, units: BigInt(bundle.count) }
  return {
    state: "stored",
    bundle,
    result: { leaves, outputs: HASH, receipt },
    changedAt: Number(NOW),
    ...change,
  } as SignedRecord
}

test("behavior: every task's path comes out of its lease's multiproof", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 16 }), async (tasks, shardSize) => {
      const commitments = Array.from({ length: tasks }, (_, i): Hex => `0x${(i + 1).toString(16).padStart(64, "0")}`)
      const tree = buildInputTree(commitments)
      for (let firstTask = 0; firstTask < tasks; firstTask += shardSize) {
        const inputCommitments = commitments.slice(firstTask, firstTask + shardSize)
        const indexes = inputCommitments.map((_, i) => firstTask + i)
        const inputProof = treeMultiproof(tree, indexes)
        const paths = taskPaths({ firstTask, inputCommitments, inputProof, terms: { tasks } as never })
        assert.deepEqual(
          paths,
          indexes.map((index) => inputPath(tree, index)),
        )
      }
    }),
    { numRuns: 60 },
  )
})

test("R18: receipts are the coordinator's until their lease's end plus the margin", async () => {
  const job = await buildJob()
  const records = [await record(job, 0), await record(job, 1, { state: "signed" })]
  const { expiry } = records[0]!.bundle.lease
  assert.deepEqual(planSelfCommits(records, { now: expiry + 29n, margin: 30n }), [])
  const [plan, ...more] = planSelfCommits(records, { now: expiry + 30n, margin: 30n })
  assert.deepEqual(more, [])
  assert.deepEqual(
    plan?.records.map(({ bundle }) => bundle.lease.shard),
    [0, 1],
  )
})

test("R18: what the coordinator committed, or lost, is not committed twice", async () => {
  const job = await buildJob()
  const committed = await record(job, 0, { state: "committed", batchId: 5n })
  const open = await record(job, 1, { state: "open", batchId: 5n })
  assert.deepEqual(planSelfCommits([committed, open], { now: NOW + 10_000n, margin: 0n }), [])
  const reclaims = planReclaims([committed, open])
  assert.deepEqual(
    reclaims.map(({ batchId, records }) => [batchId, records.map(({ bundle }) => bundle.lease.shard)]),
    [[5n, [1]]],
  )
})

test("R5: a plan has shards within 64 of its first, so that one mask holds them", async () => {
  const job = await buildJob({ tasks: 140, shardSize: 1 })
  const records = await Promise.all([0, 63, 64, 127, 128].map((shard) => record(job, shard)))
  const plans = planSelfCommits(records, { now: NOW + 10_000n, margin: 0n })
  assert.deepEqual(
    plans.map((plan) => plan.records.map(({ bundle }) => bundle.lease.shard)),
    [[0, 63], [64, 127], [128]],
  )
})

test("R18: a reclaim counts its mask from the old batch's first shard", async () => {
  const job = await buildJob()
  const { bundle, result } = await record(job, 1)
  const { lease, signature } = bundle
  const shard = {
    shard: 1,
    lease,
    leaseSignature: signature,
    receipt: result.receipt,
    receiptSignature: signature,
    leaves: result.leaves,
  }
  const own = commitArgs({ account: WORKER.address, shards: [shard] })
  const again = commitArgs({ account: WORKER.address, shards: [shard] }, 0)
  assert.deepEqual([own.firstShard, unpackRange(own.range).mask], [1, 1n])
  assert.deepEqual([again.firstShard, unpackRange(again.range).mask], [0, 2n])
})

test("R16: no lease beyond what this worker risks with one coordinator", async () => {
  const job = await buildJob()
  const stored = await record(job, 0)
  const committed = await record(job, 1, { state: "committed" })
  const limits = { uncommittedShards: 2, unfinalizedShards: 3 }
  assert.equal(limitReached([stored, committed], limits), undefined)
  assert.equal(limitReached([stored, stored], limits)?.code, "WORKER_LIMIT")
  assert.equal(limitReached([stored, committed, committed], limits)?.code, "WORKER_LIMIT")
})

test("behavior: an address out of an event does not lead into this machine's own network", () => {
  const open = (url: string) => ({ url }) as Peer
  const outside = createPeers({ open, isLocal: false })
  for (const url of [
    "http://127.0.0.1:80",
    "http://localhost",
    "http://10.1.2.3",
    "http://192.168.0.1",
    "http://172.20.0.1",
    "http://169.254.169.254/latest",
    "http://[::1]:1",
    "http://[fd00::1]",
    "http://printer.local",
    "file:///etc/passwd",
    "https://user:secret@example.org",
    "not an address",
  ]) {
    assert.equal(outside(url), undefined, url)
  }
  assert.equal(outside("https://worker.example.org:8443")?.url, "https://worker.example.org:8443")
  assert.ok(createPeers({ open, isLocal: true })("http://127.0.0.1:43000"), "the local network is all loopback")
})
