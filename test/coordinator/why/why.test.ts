import assert from "node:assert/strict"
import { after, test } from "node:test"
import { eq } from "drizzle-orm"
import { pino } from "pino"
import { isReasonCode, SHARD_STATES } from "#protocol"
import { batches, events, jobs, ranges, shards, workers } from "../../../coordinator/store/schema.ts"
import { createWaitingWatch } from "../../../coordinator/why/watchWaiting.ts"
import { ownFolder } from "../support/folder.ts"
import { helloOf, openJob, readyWorker } from "../support/job.ts"
import { type Account, DEPLOYMENT, type Service, startService } from "../support/service.ts"

async function fresh(t: { after: (work: () => Promise<void>) => void }): Promise<Service> {
  const service = await startService({ dir: await ownFolder(t) })
  t.after(() => service.close())
  return service
}

const service = await fresh({ after })
const jobCode = async (jobId: bigint, at = service) => (await at.send("GET", `/v1/why/job/${jobId}`)).body
const taskCode = async (jobId: bigint, index: number) =>
  (await service.send("GET", `/v1/why/task/${jobId}/${index}`)).body.code

test("behavior: every state of a job and of its tasks has a reason that stands in protocol's table", async () => {
  const { jobId } = await openJob(service, service.account(), { tasks: 2, shardSize: 1 })
  for (const state of ["submitted", "open", "closed", "final", "refunded"] as const) {
    await service.db.update(jobs).set({ state }).where(eq(jobs.jobId, jobId))
    for (const shard of SHARD_STATES) {
      await service.db.update(shards).set({ state: shard }).where(eq(shards.jobId, jobId))
      const { code, reason, rule } = await jobCode(jobId)
      assert.ok(isReasonCode(code), `${state}/${shard}: ${code}`)
      assert.ok(reason.length > 10 && /^R\d/.test(rule))
      const task = await taskCode(jobId, 1)
      assert.ok(isReasonCode(task), `${state}/${shard}: ${task}`)
    }
  }
  await service.db.update(shards).set({ state: "final" }).where(eq(shards.jobId, jobId))
})

test("behavior: a void task names its cause", async () => {
  const { jobId } = await openJob(service, service.account(), { tasks: 3, shardSize: 1 })
  const batchId = (jobId << 32n) + 0n
  const address = `0x${"1".repeat(40)}` as const
  const hash = `0x${"2".repeat(64)}` as const
  await service.db.insert(batches).values({
    batchId,
    jobId,
    number: 0,
    state: "attested",
    committer: address,
    backer: address,
    firstShard: 0,
    root: hash,
    leaves: 3,
    samples: 1,
    commitBlock: 1,
    commitTime: 1,
    ranges: [],
    dataHash: hash,
    commitTx: hash,
  })
  const range = { batchId, worker: address, units: 1, collateral: 1n }
  await service.db.insert(ranges).values([
    { ...range, position: 0, mask: 1n, voided: "worker" },
    { ...range, position: 1, mask: 2n, voided: "coordinator" },
    { ...range, position: 2, mask: 4n, voided: "nobody" },
  ])
  await service.db.update(shards).set({ state: "void", batchId }).where(eq(shards.jobId, jobId))
  assert.equal(await taskCode(jobId, 0), "TASK_VOID_WORKER")
  assert.equal(await taskCode(jobId, 1), "TASK_VOID_COORDINATOR")
  assert.equal(await taskCode(jobId, 2), "TASK_VOID_NOBODY")
  await service.db.update(batches).set({ silentRanges: 2n }).where(eq(batches.batchId, batchId))
  assert.equal(await taskCode(jobId, 1), "TASK_VOID_SILENT")
  await service.db.update(batches).set({ state: "forfeited" }).where(eq(batches.batchId, batchId))
  assert.equal(await taskCode(jobId, 0), "TASK_RECLAIMABLE")
  await service.db.update(ranges).set({ frozen: true }).where(eq(ranges.batchId, batchId))
  await service.db.update(shards).set({ state: "attested" }).where(eq(shards.jobId, jobId))
  assert.equal(await taskCode(jobId, 2), "TASK_FROZEN")
})

test("behavior: a job that nobody can take says so in its log, with how many workers and why", async (t) => {
  const own = await fresh(t)
  const { jobId } = await openJob(own, own.account(), { tasks: 1, shardSize: 1 })
  const explain = { db: own.db, view: viewOf(own), params: DEPLOYMENT.params, now: () => own.clock.time }
  const watch = createWaitingWatch({ ...explain, log: pino({ level: "silent" }) })
  await watch()
  assert.equal((await jobCode(jobId, own)).code, "JOB_WAITING_NO_WORKER")

  const hello = async (worker: Account, change: object) => {
    const { status } = await own.send("POST", "/v1/workers/hello", {
      by: worker,
      json: { ...helloOf(worker), ...change },
    })
    assert.equal(status, 200)
  }
  await hello(own.account(), { verifyOnly: true })
  await hello(own.account(), { profiles: [{ profile: "exact-cpu-1", memoryGiB: 2, selfTest: "failed" }] })
  await watch()
  const none = await jobCode(jobId, own)
  assert.equal(none.code, "JOB_WAITING_NO_WORKER")
  assert.match(none.reason, /1 x WORKER_VERIFY_ONLY/)
  assert.match(none.reason, /1 x WORKER_SELF_TEST/)

  const noticed = await readyWorker(own)
  own.pairs.set(noticed.address, { free: 1n, owed: 0n, noticeAt: 5, flags: 0 })
  await watch()
  await watch()
  const refused = await jobCode(jobId, own)
  assert.equal(refused.code, "JOB_WAITING_REFUSED")
  assert.match(refused.reason, /1 x WORKER_NOTICE/)
  const logged = await own.db.select().from(events).where(eq(events.jobId, jobId))
  assert.deepEqual(
    logged.filter(({ code }) => code.startsWith("JOB_WAITING")).map(({ code }) => code),
    ["JOB_WAITING_NO_WORKER", "JOB_WAITING_NO_WORKER", "JOB_WAITING_REFUSED"],
    "once for each change, not once for each look",
  )
})

test("behavior: a worker hears what keeps it from work, and an absent one is offline", async () => {
  const worker = await readyWorker(service, 999n)
  const welcome = await service.send("POST", "/v1/workers/hello", { by: worker, json: helloOf(worker) })
  assert.equal(welcome.body.ready, false)
  assert.equal(welcome.body.refused[0].code, "WORKER_COLLATERAL")
  const unregistered = await readyWorker(service)
  const hello = { ...helloOf(unregistered), sessionKey: `0x${"3".repeat(40)}` }
  const { body } = await service.send("POST", "/v1/workers/hello", { by: unregistered, json: hello })
  assert.equal(body.refused[0].code, "WORKER_KEY_UNREGISTERED")
  await service.db
    .update(workers)
    .set({ lastSeen: new Date(0) })
    .where(eq(workers.account, worker.address))
  const why = await service.send("GET", `/v1/why/worker/${worker.address}`)
  assert.equal(why.body.code, "WORKER_OFFLINE")
})

function viewOf(own: Service) {
  return {
    accountOf: async (key: string) => own.keys.get(key as `0x${string}`),
    pairOf: async (account: `0x${string}`) => own.pairs.get(account) ?? { free: 0n, owed: 0n, noticeAt: 0, flags: 0 },
    seatsOf: async () => own.seats,
  }
}
