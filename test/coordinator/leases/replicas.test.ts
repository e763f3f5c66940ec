import assert from "node:assert/strict"
import { test } from "node:test"
import { and, eq } from "drizzle-orm"
import { leases, shards } from "../../../coordinator/store/schema.ts"
import { sha256Of } from "../artifacts/artifactStore.case.ts"
import { ownFolder } from "../support/folder.ts"
import { askLease, openJob, readyWorker } from "../support/job.ts"
import { postgresMissing, redisMissing, startBucket, startPostgres, startRedis } from "../support/servers.ts"
import { startService } from "../support/service.ts"

const skip = postgresMissing() ?? redisMissing()

test("R14: two replicas on one Postgres, Redis and bucket never lease the same shard, and serve each other's files", {
  skip,
}, async (t) => {
  const [postgres, redis, bucket] = [await startPostgres(), await startRedis(), await startBucket()]
  Object.assign(process.env, bucket.env)
  for (const server of [postgres, redis, bucket]) t.after(() => server.stop())
  const stores = { databaseUrl: postgres.url, redisUrl: redis.url, bucketUrl: bucket.url }
  // As on two machines: nothing on disk is common.
  const start = async () => startService({ dir: await ownFolder(t), ...stores })
  const replicas = [await start(), await start()]
  t.after(async () => {
    for (const replica of replicas) await replica.close()
  })
  const [one, two] = replicas
  const { jobId } = await openJob(one!, one!.account(), { tasks: 30, shardSize: 1 })
  // The other replica's feeder tells the same shards again: the entries are the same.
  await two!.feeder.rebuild()
  await two!.feeder.feed()
  const crowds = await Promise.all(
    replicas.map((replica) => Promise.all(Array.from({ length: 20 }, () => readyWorker(replica)))),
  )
  const answers = await Promise.all(
    replicas.flatMap((replica, i) => crowds[i]!.map((worker) => askLease(replica, worker, { wait: 4 }))),
  )
  const got = answers.filter(({ status }) => status === 200).map(({ body }) => body.lease.shard)
  assert.equal(got.length, 30)
  assert.equal(new Set(got).size, 30)
  const there = answers.findIndex(({ status }, i) => status === 200 && i >= 20)
  const [shard] = await two!.db
    .select({ inputs: shards.inputs })
    .from(shards)
    .where(and(eq(shards.jobId, jobId), eq(shards.shard, answers[there]!.body.lease.shard)))
  const file = await two!.send("GET", `/v1/artifacts/${shard!.inputs}`, { by: crowds[1]![there - 20]! })
  assert.equal(file.status, 200, "uploaded at the other one")
  assert.equal(sha256Of(file.raw), shard!.inputs)
  assert.equal((await one!.db.select().from(leases).where(eq(leases.jobId, jobId))).length, 30)
})
