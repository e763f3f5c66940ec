import assert from "node:assert/strict"
import { test } from "node:test"
import { eq } from "drizzle-orm"
import { leases } from "../../../coordinator/store/schema.ts"
import { ownFolder } from "../support/folder.ts"
import { askLease, openJob, readyWorker } from "../support/job.ts"
import { postgresMissing, redisMissing, startPostgres, startRedis } from "../support/servers.ts"
import { startService } from "../support/service.ts"

const skip = postgresMissing() ?? redisMissing()

test("R14: two replicas on one Postgres and one Redis never lease the same shard", { skip }, async (t) => {
  const [postgres, redis] = [await startPostgres(), await startRedis()]
  t.after(() => postgres.stop())
  t.after(() => redis.stop())
  const options = { dir: await ownFolder(t), databaseUrl: postgres.url, redisUrl: redis.url }
  const replicas = [await startService(options), await startService(options)]
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
  assert.equal((await one!.db.select().from(leases).where(eq(leases.jobId, jobId))).length, 30)
})
