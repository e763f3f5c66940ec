import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { eq } from "drizzle-orm"
import { openDatabase } from "../../../coordinator/store/database.ts"
import { jobs, leases } from "../../../coordinator/store/schema.ts"
import { buildJob, buildLease } from "./rows.ts"

test("behavior: what was written is there after the embedded database is opened again", async () => {
  const databaseDir = await mkdtemp(join(tmpdir(), "assay-db-"))
  try {
    const first = await openDatabase({ databaseDir })
    const job = buildJob({ jobId: (1n << 191n) + 5n, fee: 10n ** 27n })
    await first.db.insert(jobs).values(job)
    await first.close()
    const second = await openDatabase({ databaseDir })
    const [row] = await second.db.select().from(jobs).where(eq(jobs.jobId, job.jobId))
    assert.equal(row?.jobId, job.jobId)
    assert.equal(row?.fee, 10n ** 27n)
    assert.deepEqual(row?.terms, job.terms)
    await second.close()
  } finally {
    await rm(databaseDir, { recursive: true, force: true })
  }
})

test("behavior: new embedded databases begin alike and have nothing in common", async () => {
  const [one, two] = [await openDatabase({}), await openDatabase({})]
  try {
    await one.db.insert(jobs).values(buildJob({ jobId: 1n }))
    assert.equal((await one.db.select().from(jobs)).length, 1)
    assert.deepEqual(await two.db.select().from(jobs), [])
    await two.db.insert(jobs).values(buildJob({ jobId: 1n }))
  } finally {
    await one.close()
    await two.close()
  }
  const three = await openDatabase({})
  try {
    assert.deepEqual(await three.db.select().from(jobs), [], "what is copied was never written to")
  } finally {
    await three.close()
  }
})

test("R14: the database refuses a second lease of a shard that overlaps the first", async () => {
  const { db, close } = await openDatabase({})
  try {
    await db.insert(leases).values(buildLease({ leaseHash: "0x01", startAt: 100, expiry: 160, endAt: 160 }))
    await assert.rejects(
      db.insert(leases).values(buildLease({ leaseHash: "0x02", startAt: 159, expiry: 219, endAt: 219 })),
      (error: Error) => /leases_one_at_a_time/.test(String(error.cause)),
    )
    await db.insert(leases).values(buildLease({ leaseHash: "0x03", startAt: 160, expiry: 220, endAt: 220 }))
    await db.insert(leases).values(buildLease({ leaseHash: "0x04", shard: 1, startAt: 100, expiry: 160, endAt: 160 }))
    // A release shortens the lease; the time after it is free again.
    await db.update(leases).set({ endAt: 170 }).where(eq(leases.leaseHash, "0x03"))
    await db.insert(leases).values(buildLease({ leaseHash: "0x05", startAt: 170, expiry: 230, endAt: 230 }))
  } finally {
    await close()
  }
})
