import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { and, asc, eq } from "drizzle-orm"
import { marketAbi } from "#protocol"
import { batchStruct } from "../../../coordinator/batches/batchRow.ts"
import {
  batches,
  batchPlans,
  events,
  jobs,
  outbox,
  ranges,
  shards,
  verdicts,
} from "../../../coordinator/store/schema.ts"
import { missingArtifacts } from "../support/localChain.ts"
import { type Market, openMarket, type Party, type PostedJob, wrong } from "../support/marketFixture.ts"

const skip = missingArtifacts() ?? false
const UNIT = 10n ** 15n

let market: Market
let workers: Party[]
/** The workers, and others who only audit and vote. */
let verifiers: Party[]

before(async () => {
  if (skip) return
  market = await openMarket()
  // A jury of 21 leaves out the accused and the accuser: six owners, of whom the accused has few seats, make its quorum
  // of eight a matter of one in a million, not of one in ten.
  workers = [await market.worker(1), await market.worker(9), await market.worker(9), await market.worker(9)]
  verifiers = [...workers, await market.worker(9), await market.worker(9)]
  await market.until("the follower saw them", async () => (await market.services.follower.head()) !== undefined)
})
after(async () => {
  if (!skip) await market.close()
})

const stateOf = async ({ jobId }: PostedJob) => {
  const rows = await market.db.select().from(shards).where(eq(shards.jobId, jobId)).orderBy(asc(shards.shard))
  return rows.map(({ state }) => state)
}
const batchesOf = ({ jobId }: PostedJob) =>
  market.db.select().from(batches).where(eq(batches.jobId, jobId)).orderBy(asc(batches.number))
const jobState = async ({ jobId }: PostedJob) =>
  (await market.db.select().from(jobs).where(eq(jobs.jobId, jobId)))[0]!.state
const allAudit = async () => {
  for (const one of verifiers) await market.audit(one)
}

test("behavior: receipts become a batch that is drawn, audited, attested, paid, and the rest is refunded", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 14, shardSize: 4 })
  assert.equal(await jobState(job), "open")
  const before = await Promise.all(verifiers.map(async ({ address }) => (await market.pairOf(address)).owed))
  for (const [i, worker] of workers.entries()) await market.compute(job, i, worker)
  await market.until("the job is refunded", async () => (await jobState(job)) === "refunded", allAudit)
  assert.deepEqual(await stateOf(job), ["final", "final", "final", "final"])
  const [batch] = await batchesOf(job)
  assert.equal(batch!.state, "final")
  assert.equal(batch!.leaves, 14)
  assert.equal(batch!.samples, 7)
  assert.equal(batch!.silentRanges, 0n)
  const after = await Promise.all(verifiers.map(async ({ address }) => (await market.pairOf(address)).owed))
  const earned = after.reduce((sum, owed, i) => sum + owed - before[i]!, 0n)
  const payees = batch!.verifiers!.length
  // 14 units of work, 7 verdicts of a unit each (a = 100 %), and a base for each verifier.
  assert.equal(earned, (14n + 7n + BigInt(payees)) * UNIT)
  const told = await market.db
    .select()
    .from(events)
    .where(and(eq(events.jobId, job.jobId), eq(events.code, "TASK_PAID")))
  const units = [4, 4, 4, 2]
  assert.deepEqual(
    told.map(({ text }) => text).sort(),
    workers
      .map(
        ({ address }, i) =>
          `batch 0 is final: 0.00${units[i]} ASY for ${units[i]} units to ${address.toLowerCase()} (R30)`,
      )
      .sort(),
  )
})

test("behavior: a mismatch goes to the jury by itself, the cheat loses its range, its shard is queued again", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 16, shardSize: 4, auditRate: 10_000 })
  const [cheat] = workers
  const free = (await market.pairOf(cheat!.address)).free
  for (const [i, worker] of workers.entries()) {
    await market.compute(job, i, worker, ...(i === 0 ? [wrong] : []))
  }
  await market.until(
    "the batch is final",
    async () => (await batchesOf(job))[0]?.state === "final",
    async () => {
      await allAudit()
      for (const one of verifiers) await market.vote(one)
    },
  )
  assert.deepEqual(await stateOf(job), ["queued", "final", "final", "final"])
  const [range] = await market.db
    .select()
    .from(ranges)
    .where(and(eq(ranges.batchId, (await batchesOf(job))[0]!.batchId), eq(ranges.worker, cheat!.address)))
  assert.equal(range!.voided, "worker")
  assert.equal(range!.paid, false)
  assert.equal(free - (await market.pairOf(cheat!.address)).free, range!.collateral)
  // Somebody else does the work that is left.
  await market.compute(job, 0, workers[1]!)
  await market.until("the job is refunded", async () => (await jobState(job)) === "refunded", allAudit)
  assert.deepEqual(await stateOf(job), ["final", "final", "final", "final"])
})

test("behavior: killed after any step, another process goes on from database and chain alone", { skip }, async () => {
  const job = await market.postJob({ tasks: 8, shardSize: 4 })
  await market.compute(job, 0, workers[0]!)
  await market.compute(job, 1, workers[1]!)
  await market.until(
    "the job is refunded",
    async () => (await jobState(job)) === "refunded",
    async () => {
      market.restart()
      // The old process held the sender; its term ends on its own after a real crash.
      const { outboxSenders } = await import("../../../coordinator/store/schema.ts")
      await market.db.delete(outboxSenders)
      await allAudit()
    },
  )
  assert.deepEqual(await stateOf(job), ["final", "final"])
  const plans = await market.db.select().from(batchPlans).where(eq(batchPlans.jobId, job.jobId))
  assert.equal(plans.length, 1)
  const failed = await market.db.select().from(outbox).where(eq(outbox.state, "failed"))
  assert.deepEqual(
    failed.map(({ key, error }) => ({ key, error })),
    [],
  )
})

test("R20: a sample that nobody answers is SILENT; the worker's shard is committed again after the claim period", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 4, shardSize: 4 })
  await market.compute(job, 0, workers[0]!)
  await market.until("the silent batch is final", async () => (await batchesOf(job))[0]?.state === "final")
  const [batch] = await batchesOf(job)
  assert.equal(batch!.silentRanges, 1n)
  assert.deepEqual(await stateOf(job), ["void"])
  await market.until("the mark is released", async () => (await batchesOf(job))[0]!.released !== 0n)
  await market.until("the job is refunded", async () => (await jobState(job)) === "refunded", allAudit)
  assert.deepEqual(await stateOf(job), ["final"])
  assert.equal((await batchesOf(job)).length, 2)
})

test("R24a: a batch that its coordinator slept through is forfeited by itself, and its work is committed again", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 4, shardSize: 4 })
  await market.compute(job, 0, workers[0]!)
  await market.until("it is committed", async () => (await batchesOf(job)).length === 1)
  const free = (await market.pairOf(workers[0]!.address)).free
  await market.local.warp(61)
  await market.until("it is forfeited", async () => (await batchesOf(job))[0]!.state === "forfeited")
  // The worker lost nothing: its collateral is back.
  assert.ok((await market.pairOf(workers[0]!.address)).free > free)
  assert.deepEqual(await stateOf(job), ["void"])
  await market.local.warp(61)
  await market.until("the job is refunded", async () => (await jobState(job)) === "refunded", allAudit)
  assert.deepEqual(await stateOf(job), ["final"])
})

test("behavior: verdicts that were not drawn, or not signed by their account's key, are refused with a code", {
  skip,
}, async () => {
  const { storeVerdicts } = await import("../../../coordinator/audits/storeVerdicts.ts")
  const { nextAudit } = await import("../../../coordinator/audits/nextAudit.ts")
  const { db, chain, wake, artifacts, contexts } = market
  const job = await market.postJob({ tasks: 4, shardSize: 4, auditRate: 10_000 })
  await market.compute(job, 0, workers[0]!)
  let bundle: Awaited<ReturnType<typeof nextAudit>>
  let verifier = workers[1]!
  await market.until("somebody is asked", async () => {
    for (const one of verifiers) {
      bundle = await nextAudit({ db, chain, artifacts, contexts }, { account: one.address })
      verifier = one
      if (bundle) return true
    }
    return false
  })
  assert.notEqual(verifier.address, workers[0]!.address)
  const give = (by: Party, signed: Awaited<ReturnType<Market["verdictsFor"]>>) =>
    storeVerdicts({ db, chain, wake }, { account: by.address, batchId: bundle!.batchId, signed })
  const good = await market.verdictsFor(bundle!, verifier)
  // The executor is never a candidate of its own range.
  const own = await market.verdictsFor(bundle!, workers[0]!)
  assert.deepEqual(
    (await give(workers[0]!, own)).refused.map(({ code }) => code),
    own.map(() => "E_VERDICT_NOT_DRAWN"),
  )
  const stranger = await market.verdictsFor(bundle!, { ...verifier, key: workers[0]!.key })
  assert.equal((await give(verifier, stranger)).refused[0]!.code, "E_VERDICT_SIGNATURE")
  const moved = good.map((one) => ({ ...one, verdict: { ...one.verdict, position: one.verdict.position + 1 } }))
  assert.equal((await give(verifier, moved)).refused[0]!.code, "E_VERDICT_POSITION")
  assert.deepEqual(await give(verifier, good), { stored: good.length, refused: [] })
  assert.deepEqual(await give(verifier, good), { stored: good.length, refused: [] })
  const other = await market.verdictsFor(bundle!, verifier, wrong)
  assert.equal((await give(verifier, other)).refused[0]!.code, "E_VERDICT_CONFLICT")
  await market.until("the batch is attested", async () => (await batchesOf(job))[0]?.state !== "committed", allAudit)
  await assert.rejects(give(verifier, good), { code: "E_VERDICT_LATE" })
  const stored = await db.select().from(verdicts).where(eq(verdicts.batchId, bundle!.batchId))
  assert.equal(stored.length, 4)
})

test("behavior: a finalize and a commit that are ripe together travel in one transaction", { skip }, async () => {
  const first = await market.postJob({ tasks: 4, shardSize: 4 })
  const second = await market.postJob({ tasks: 4, shardSize: 4 })
  await market.compute(first, 0, workers[0]!)
  await market.until("the first is attested", async () => (await batchesOf(first))[0]?.state === "attested", allAudit)
  await market.compute(second, 0, workers[1]!)
  await market.local.warp(9)
  await market.until("the second is committed", async () => (await batchesOf(second)).length === 1)
  const [one] = await batchesOf(first)
  const [two] = await batchesOf(second)
  assert.equal(one!.state, "final")
  assert.equal(one!.finalizeTx, two!.commitTx)
})

test("R19: a mismatch found before the attestation, in a batch that somebody else drew, is posted and attested all the same", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 8, shardSize: 4, auditRate: 10_000 })
  await market.compute(job, 0, workers[0]!, wrong)
  await market.compute(job, 1, workers[1]!)
  await market.until("it is committed", async () => (await batchesOf(job)).length === 1)
  await market.local.mine(3)
  const [row] = await batchesOf(job)
  const to = market.chain.deployment.contracts.market
  await market.local.send(workers[3]!.account, { to, abi: marketAbi, name: "draw", args: [batchStruct(row!)] })
  // One candidate answers first: its mismatch is there while other samples still wait.
  await market.services.auditor.step()
  for (const one of verifiers) if ((await market.audit(one)) > 0) break
  await market.until(
    "the batch is final",
    async () => (await batchesOf(job))[0]?.state === "final",
    async () => {
      await allAudit()
      for (const one of verifiers) await market.vote(one)
    },
  )
  assert.deepEqual(await stateOf(job), ["queued", "final"])
})
