import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { and, asc, eq, isNotNull } from "drizzle-orm"
import type { PgTable } from "drizzle-orm/pg-core"
import { challengesAbi } from "#protocol"
import { attestationStruct, batchStruct } from "../../../coordinator/batches/batchRow.ts"
import * as schema from "../../../coordinator/store/schema.ts"
import { missingArtifacts } from "../support/localChain.ts"
import { type Market, openMarket, type Party, type PostedJob, wrong } from "../support/marketFixture.ts"

const skip = missingArtifacts() ?? false
const { batches, demands, events, jobs, outbox, outboxTxs, shards } = schema

let market: Market
let workers: Party[]

before(async () => {
  if (skip) return
  market = await openMarket()
  workers = [await market.worker(), await market.worker(), await market.worker(), await market.worker()]
  await market.round()
})
after(async () => {
  if (!skip) await market.close()
})

const batchesOf = ({ jobId }: PostedJob) =>
  market.db.select().from(batches).where(eq(batches.jobId, jobId)).orderBy(asc(batches.number))
const jobState = async ({ jobId }: PostedJob) =>
  (await market.db.select().from(jobs).where(eq(jobs.jobId, jobId)))[0]!.state
const allAudit = async () => {
  for (const one of workers) await market.audit(one)
}

/** Everything that must follow from the chain's logs alone. */
async function derived(): Promise<string> {
  const { batches, ranges, disputes, demands, seats, seatCounts, keys, pairs, chainLogs, jobs, shards } = schema
  const tables = { batches, ranges, disputes, demands, seats, seatCounts, keys, chainLogs, jobs, shards, pairs }
  const dump: Record<string, string[]> = {}
  for (const [name, table] of Object.entries(tables)) {
    const rows = (await market.db.select().from(table as PgTable)) as Record<string, unknown>[]
    dump[name] = rows
      .map((row) => {
        // When a row was touched, and at which head a slot was read, is not of the chain.
        const { updatedAt: _, receivedAt: __, ...rest } = row
        if (name === "pairs") delete rest.block
        return JSON.stringify(rest, (_key, value) => (typeof value === "bigint" ? `${value}` : value))
      })
      .sort()
  }
  return JSON.stringify(dump, null, 1)
}

test("behavior: replayed from nothing, the follower comes to the same state", { skip }, async () => {
  const good = await market.postJob({ tasks: 8, shardSize: 4 })
  const bad = await market.postJob({ tasks: 8, shardSize: 4, auditRate: 10_000 })
  await market.compute(good, 0, workers[0]!)
  await market.compute(good, 1, workers[1]!)
  await market.compute(bad, 0, workers[2]!, wrong)
  await market.compute(bad, 1, workers[3]!)
  await market.until(
    "both are through",
    async () => (await jobState(good)) === "refunded" && (await batchesOf(bad))[0]?.state === "final",
    async () => {
      await allAudit()
      for (const one of workers) await market.vote(one)
    },
  )
  while (await market.services.follower.step()) {
    // up to the head
  }
  const before = await derived()
  const told = (await market.db.select().from(events).where(isNotNull(events.block))).length
  assert.ok(told > 10)
  for (const table of [schema.cursor, schema.chainBlocks, schema.chainLogs]) await market.db.delete(table)
  const { resetSubject } = await import("../../../coordinator/chain/follower/replay.ts")
  const subjects = [
    ...[good, bad].map(({ jobId }) => `job:0x${jobId.toString(16).padStart(48, "0")}` as const),
    `seats:${good.terms.capability}` as const,
  ]
  await market.db.delete(schema.keys)
  await market.db.delete(schema.pairs)
  await market.db.delete(events).where(isNotNull(events.block))
  for (const subject of subjects) await resetSubject(market.db, subject)
  assert.notEqual(await derived(), before)
  while (await market.services.follower.step()) {
    // from the deployment's block to the head
  }
  assert.equal(await derived(), before)
  assert.equal((await market.db.select().from(events).where(isNotNull(events.block))).length, told)
})

test("behavior: a reorg takes a commit back; its transaction is mined again and its rows follow the new fork", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 4, shardSize: 4 })
  await market.compute(job, 0, workers[0]!)
  const fork = await market.local.snapshot()
  await market.until("it is committed", async () => (await batchesOf(job)).length === 1)
  await market.round()
  const [first] = await batchesOf(job)
  // The other fork: the same blocks up to the snapshot, then two empty ones more than we have seen.
  await market.local.revert(fork)
  await market.local.warp(3)
  await market.local.mine(6)
  await market.services.follower.step()
  while (await market.services.follower.step()) {
    // to the new head
  }
  assert.deepEqual(await batchesOf(job), [])
  const [shard] = await market.db.select().from(shards).where(eq(shards.jobId, job.jobId))
  assert.equal(shard!.state, "received")
  const [call] = await market.db
    .select({ state: outbox.state })
    .from(outbox)
    .innerJoin(outboxTxs, eq(outboxTxs.id, outbox.txId))
    .where(and(eq(outbox.kind, "commit"), eq(outboxTxs.minedHash, first!.commitTx)))
  assert.equal(call, undefined)
  await market.until("the job is refunded on the new fork", async () => (await jobState(job)) === "refunded", allAudit)
  const [second] = await batchesOf(job)
  assert.equal(second!.batchId, first!.batchId)
  assert.notEqual(second!.commitBlock, first!.commitBlock)
})

test("R26: demands for a leaf, the shard row, a verdict and a signature are answered by itself", { skip }, async () => {
  // Before the window opens: it lasts seconds.
  const asker = await market.local.fund()
  const job = await market.postJob({ tasks: 8, shardSize: 4 })
  await market.compute(job, 0, workers[0]!)
  await market.compute(job, 1, workers[1]!)
  await market.until("it is attested", async () => (await batchesOf(job))[0]?.state === "attested", allAudit)
  const [row] = await batchesOf(job)
  const at = { to: market.chain.deployment.contracts.challenges, abi: challengesAbi, value: 10n ** 16n }
  const common = [job.terms, batchStruct(row!), attestationStruct(row!)]
  await market.local.send(asker, { ...at, name: "demandLeaf", args: [...common, 5] })
  await market.local.send(asker, { ...at, name: "demandShards", args: common })
  await market.local.send(asker, { ...at, name: "demandVerdict", args: [...common, 1] })
  await market.local.send(asker, { ...at, name: "demandSignature", args: [...common, 1] })
  await market.until("all are answered", async () => {
    const rows = await market.db.select().from(demands).where(eq(demands.batchId, row!.batchId))
    return rows.length === 4 && rows.every(({ state }) => state === "answered")
  })
  await market.until("the batch is paid", async () => (await batchesOf(job))[0]?.state === "final")
  assert.equal((await batchesOf(job))[0]!.voided, 0n)
})
