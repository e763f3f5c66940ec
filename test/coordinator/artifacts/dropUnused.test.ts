import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { utimes } from "node:fs/promises"
import { type TestContext, test } from "node:test"
import { eq } from "drizzle-orm"
import type { Hex } from "viem"
import { dropUnused } from "../../../coordinator/artifacts/dropUnused.ts"
import { artifactAcl, artifacts as artifactRows, cursor, jobs, shards } from "../../../coordinator/store/schema.ts"
import { ownFolder } from "../support/folder.ts"
import { buildSubmission, openJob, submit, uploadAll } from "../support/job.ts"
import { type Service, startService } from "../support/service.ts"

const DAY = 86_400
const sha256Of = (bytes: Uint8Array): Hex => `0x${createHash("sha256").update(bytes).digest("hex")}`

async function start(t: TestContext): Promise<Service> {
  const service = await startService({ dir: await ownFolder(t) })
  t.after(() => service.close())
  return service
}

/** As if all that is here had been sent so long ago. */
async function age({ db, artifacts }: Service, seconds: number, hashes: readonly Hex[]): Promise<void> {
  const then = new Date(Date.now() - seconds * 1000)
  for (const sha256 of hashes) {
    await db.update(artifactRows).set({ createdAt: then }).where(eq(artifactRows.sha256, sha256))
    await utimes(await artifacts.file(sha256), then, then)
  }
}

const drop = ({ db, artifacts, clock }: Service) => dropUnused({ db, artifacts, now: () => clock.time })

async function follow({ db }: Service, time: number): Promise<void> {
  const row = { name: "chain", block: 1, blockHash: `0x${"00".repeat(32)}` as Hex, time }
  await db.insert(cursor).values(row).onConflictDoUpdate({ target: cursor.name, set: { time } })
}

test("attack: bytes that strangers leave behind go after a day, and what a job needs stays", async (t) => {
  const service = await start(t)
  const { db, artifacts, account, upload } = service
  const litter = await upload(account(), Buffer.from("left behind"))
  const fresh = await upload(account(), Buffer.from("sent just now"))
  const again = await upload(account(), Buffer.from("sent again"))
  const { jobId } = await openJob(service, account())
  const inputs = (await db.select().from(shards).where(eq(shards.jobId, jobId))).map((shard) => shard.inputs)
  const [job] = await db.select().from(jobs).where(eq(jobs.jobId, jobId))
  const needed = [job!.model, job!.terms.specHash as Hex, ...inputs]
  await age(service, 2 * DAY, [litter, again, ...needed])
  await upload(account(), Buffer.from("sent again"))

  assert.deepEqual(await drop(service), { jobs: 0, artifacts: 1 })
  assert.equal(await artifacts.has(litter), false)
  assert.deepEqual(await db.select().from(artifactAcl).where(eq(artifactAcl.sha256, litter)), [])
  for (const kept of [fresh, again, ...needed]) assert.ok(await artifacts.has(kept), kept)
  assert.deepEqual(await drop(service), { jobs: 0, artifacts: 0 })
})

test("behavior: what was cut for an audit stays as long as somebody may read it", async (t) => {
  const service = await start(t)
  const { db, clock, account, upload } = service
  const sha256 = await upload(account(), Buffer.from("inputs of a sample"))
  const grant = { sha256, account: account().address, reason: "candidate" as const, until: clock.time + 10 }
  await db.insert(artifactAcl).values(grant)
  await age(service, 2 * DAY, [sha256])
  assert.equal((await drop(service)).artifacts, 0)
  clock.time += 20
  assert.equal((await drop(service)).artifacts, 1)
})

test("attack: jobs that nobody posts go a day after their deadline, but nothing that a posted one shares with them", async (t) => {
  const service = await start(t)
  const { db, artifacts, clock, account } = service
  // With one salt and the same inputs both have the same files and the same tree.
  const { jobId: posted } = await openJob(service, account())
  const other = account()
  const own = buildSubmission(service, other, { nonce: 1n, tasks: 24 })
  const shared = buildSubmission(service, other)
  for (const { submission, files } of [own, shared]) {
    await uploadAll(service, other, files)
    assert.equal((await submit(service, other, submission)).status, 200)
  }
  const all = await db.select().from(jobs)
  assert.equal(all.length, 3)
  const kept = all.find(({ jobId }) => jobId === posted)!
  const gone = all.find(({ tasks }) => tasks === 24)!
  const onlyGone = own.files.map(sha256Of).filter((hash) => !shared.files.map(sha256Of).includes(hash))
  await age(service, 2 * DAY, [...onlyGone, kept.model, kept.inputTree, gone.inputTree])

  const deadline = clock.time + 3_600
  await follow(service, deadline + DAY - 1)
  assert.equal((await drop(service)).jobs, 0, "a posting may still be in blocks that were not read")
  await follow(service, deadline + DAY + 1)
  assert.equal((await drop(service)).jobs, 2)
  assert.deepEqual(
    (await db.select({ jobId: jobs.jobId }).from(jobs)).map(({ jobId }) => jobId),
    [posted],
  )
  assert.ok(onlyGone.length > 0)
  for (const hash of [...onlyGone, gone.inputTree]) assert.equal(await artifacts.has(hash), false)
  const inputs = (await db.select().from(shards)).map((shard) => shard.inputs)
  for (const hash of [kept.model, kept.inputTree, ...inputs]) assert.ok(await artifacts.has(hash))
})
