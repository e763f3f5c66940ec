import assert from "node:assert/strict"
import { test } from "node:test"
import { eq } from "drizzle-orm"
import type { Address } from "viem"
import { z } from "zod"
import { leaseHash, ReceiptSubmissionSchema } from "#protocol"
import { bindDeployment } from "../../coordinator/store/bindDeployment.ts"
import { deployment as deploymentRow, shards } from "../../coordinator/store/schema.ts"
import { ownFolder } from "./support/folder.ts"
import { askLease, compute, openJob, readyWorker, signReceipt, takeLease } from "./support/job.ts"
import { postgresMissing, redisMissing, startPostgres, startRedis } from "./support/servers.ts"
import { DEPLOYMENT, type Service, type ServiceOptions, startService } from "./support/service.ts"

/** What a worker and its keys know survives in the test, as on a worker's own machine. */
function carry(from: Service, to: Service): void {
  for (const [key, account] of from.keys) to.keys.set(key, account)
  for (const [account, pair] of from.pairs) to.pairs.set(account, pair)
  to.clock.time = from.clock.time
}

/** Leases, receipts and the queue over a restart: the same on every setting of the stores. */
async function survivesRestart(options: ServiceOptions): Promise<void> {
  const first = await startService(options)
  const { jobId } = await openJob(first, first.account(), { tasks: 4, shardSize: 1 })
  const worker = await readyWorker(first)
  const leased = await takeLease(first, worker)
  await first.close()
  assert.deepEqual(first.errors, [])

  const second = await startService(options)
  try {
    carry(first, second)
    // As at every start: what the queue may have lost is told again.
    await second.feeder.rebuild()
    assert.equal(await second.feeder.feed(), 3)
    const work = compute(leased)
    const outputs = await second.upload(worker, work.outputs)
    const hash = leaseHash(leased.lease)
    const signed = await signReceipt(second, worker, leased, { leaves: work.leaves, leaseHash: hash })
    const json = z.encode(ReceiptSubmissionSchema, { ...signed, leaves: work.leaves, outputs })
    const { status } = await second.send("POST", `/v1/leases/${hash}/receipt`, { by: worker, json })
    assert.equal(status, 200, "the lease of before is good")
    const others = [await takeLease(second, worker), await takeLease(second, worker), await takeLease(second, worker)]
    assert.deepEqual(new Set([leased, ...others].map(({ lease }) => lease.shard)), new Set([0, 1, 2, 3]))
    assert.equal((await askLease(second, worker)).status, 204)
    const rows = await second.db.select().from(shards).where(eq(shards.jobId, jobId))
    assert.equal(rows.filter(({ state }) => state === "leased").length, 3)
  } finally {
    await second.close()
  }
}

test("behavior: nothing is lost over a restart (embedded stores)", async (t) => {
  await survivesRestart({ dir: await ownFolder(t) })
})

test("behavior: nothing is lost over a restart (Postgres)", { skip: postgresMissing() }, async (t) => {
  const server = await startPostgres()
  t.after(() => server.stop())
  await survivesRestart({ dir: await ownFolder(t), databaseUrl: server.url })
})

test("behavior: nothing is lost over a restart, nor with Redis emptied in between", {
  skip: redisMissing(),
}, async (t) => {
  const server = await startRedis()
  t.after(() => server.stop())
  const dir = await ownFolder(t)
  await survivesRestart({ dir, redisUrl: server.url })

  const service = await startService({ dir, redisUrl: server.url })
  t.after(() => service.close())
  await service.db.update(shards).set({ state: "final" })
  await openJob(service, service.account(), { tasks: 2, shardSize: 1 })
  const { Redis } = await import("ioredis")
  const redis = new Redis(server.url)
  await redis.flushall()
  redis.disconnect()
  // The feeder's own check finds out, once the shards have been waiting for a while.
  await service.db.update(shards).set({ updatedAt: new Date(Date.now() - 60_000) })
  await service.feeder.check()
  assert.equal(await service.feeder.feed(), 2)
  const worker = await readyWorker(service)
  await takeLease(service, worker)
  await takeLease(service, worker)
})

test("error: a database of another deployment or coordinator is refused by name", async (t) => {
  const service = await startService({ dir: await ownFolder(t) })
  t.after(() => service.close())
  const bind = (deployment = DEPLOYMENT, coordinator = ME) => bindDeployment(service.db, deployment, coordinator)
  await bind()
  await bind()
  await assert.rejects(bind({ ...DEPLOYMENT, genesisHash: `0x${"8".repeat(64)}` }), { code: "E_WRONG_DEPLOYMENT" })
  await assert.rejects(bind(DEPLOYMENT, `0x${"e".repeat(40)}`), { code: "E_WRONG_COORDINATOR" })
  // One that is older than the column belongs to who opens it first.
  await service.db.update(deploymentRow).set({ coordinator: null })
  await bind()
  await assert.rejects(bind(DEPLOYMENT, `0x${"e".repeat(40)}`), { code: "E_WRONG_COORDINATOR" })
})

const ME: Address = `0x${"c".repeat(40)}`
