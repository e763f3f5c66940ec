import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, beforeEach, test } from "node:test"
import { eq } from "drizzle-orm"
import { z } from "zod"
import {
  ceilLog2,
  encodePatch,
  inputLeaf,
  isSignedBy,
  LeaseBundleSchema,
  leaseHash,
  PAIR_SCHEME,
  ReceiptSubmissionSchema,
  ReleaseSubmissionSchema,
  rootFromMultiproof,
  signMessage,
} from "#protocol"
import { EXPIRY_GRACE_SECONDS, expireLeases } from "../../../coordinator/leases/expireLeases.ts"
import { leases, receipts, shards, workers } from "../../../coordinator/store/schema.ts"
import { ownFolder } from "../support/folder.ts"
import { askLease, compute, openJob, outputOf, readyWorker, signReceipt, takeLease, type Work } from "../support/job.ts"
import { type Account, startService } from "../support/service.ts"

const service = await startService({ dir: await ownFolder({ after }) })
after(() => service.close())

type Bundle = z.output<typeof LeaseBundleSchema>
let nonce = 0n

beforeEach(async () => {
  // Cases share one database, not each other's shards.
  await service.db.update(shards).set({ state: "final" })
})

const open = (options: Parameters<typeof openJob>[2] = {}) =>
  openJob(service, service.account(), { nonce: ++nonce, ...options })

async function deliver(
  worker: Account,
  bundle: Bundle,
  given: { work?: Work; change?: (json: Record<string, unknown>) => unknown } = {},
) {
  const work = given.work ?? compute(bundle)
  const hash = leaseHash(bundle.lease)
  const outputs = await service.upload(worker, work.outputs)
  const signed = await signReceipt(service, worker, bundle, { leaves: work.leaves, leaseHash: hash })
  const json = z.encode(ReceiptSubmissionSchema, { ...signed, leaves: work.leaves, outputs }) as Record<string, unknown>
  given.change?.(json)
  return service.send("POST", `/v1/leases/${hash}/receipt`, { by: worker, json })
}

async function release(worker: Account, bundle: Bundle, { at = service.clock.time, code = "E_RUN_FAILED" } = {}) {
  const message = { leaseHash: leaseHash(bundle.lease), at: BigInt(at) }
  const signature = await signMessage(worker.session, { domain: service.domain, type: "Release", message })
  const json = z.encode(ReleaseSubmissionSchema, { release: message, signature, code, text: "it fell over" })
  return service.send("POST", `/v1/leases/${message.leaseHash}/release`, { by: worker, json })
}

const shardOf = async ({ lease }: Bundle) => {
  const rows = await service.db.select().from(shards).where(eq(shards.jobId, lease.jobId))
  return rows.find((row) => row.shard === lease.shard)!
}

async function pass(seconds: number): Promise<void> {
  service.clock.time += seconds
  await expireLeases(service.db, service.clock.time)
  await service.feeder.feed()
}

test("behavior: who had a shard in the requester's job before has the same one in the next, if it waits for work", async () => {
  const [requester, first, second] = [service.account(), await readyWorker(service), await readyWorker(service)]
  const job = { tasks: 8, shardSize: 4 }
  await openJob(service, requester, { nonce: ++nonce, ...job })
  const before = [await takeLease(service, first), await takeLease(service, second)]
  const waiting = [second, first].map((worker) => askLease(service, worker, { wait: 10 }))
  await openJob(service, requester, { nonce: ++nonce, ...job })
  service.desk.wake()
  const after = (await Promise.all(waiting)).map(({ body }) => LeaseBundleSchema.parse(body).lease)
  assert.notEqual(after[0]!.jobId, before[0]!.lease.jobId)
  assert.deepEqual(
    [after[1]!.shard, after[0]!.shard],
    before.map(({ lease }) => lease.shard),
  )
})

test("behavior: what results repeat is for those who lease the job's shards to read, and outputs may take from it", async () => {
  const [requester, worker, stranger] = [service.account(), await readyWorker(service), service.account()]
  const bytes = Buffer.alloc(1_000, 7)
  const expected = await service.upload(requester, bytes)
  await openJob(service, requester, { nonce: ++nonce, expected })
  const bundle = await takeLease(service, worker)
  assert.equal(bundle.expected, expected)
  const read = (by: Account) => service.send("GET", `/v1/artifacts/${expected}`, { by })
  assert.deepEqual((await read(worker)).raw, bytes)
  assert.equal((await read(stranger)).status, 404)
  const patch = { parts: [{ bytes: 400, place: { file: expected, from: 100 } }] }
  const outputs = createHash("sha256").update(bytes.subarray(0, 400)).digest("hex")
  const sent = { by: worker, bytes: Buffer.from(encodePatch(patch, new Uint8Array())) }
  assert.equal((await service.send("PUT", `/v1/artifacts/0x${outputs}/patch`, sent)).status, 201)
})

test("behavior: a lease is signed, proves its inputs against the terms, and its receipt is stored", async () => {
  const { jobId, submission } = await open({ tasks: 13, shardSize: 8 })
  const worker = await readyWorker(service)
  const bundles = [await takeLease(service, worker), await takeLease(service, worker)]
  assert.deepEqual(
    bundles.map(({ lease, firstTask, count }) => [lease.shard, firstTask, count]),
    [
      [0, 0, 8],
      [1, 8, 5],
    ],
  )
  for (const bundle of bundles) {
    const { lease, signature, firstTask, inputCommitments, inputProof } = bundle
    const signer = service.coordinator.address
    assert.ok(await isSignedBy({ domain: service.domain, type: "Lease", message: lease, signature, signer }))
    assert.ok(lease.expiry - lease.start <= 60n, "R14: no longer than the contracts allow")
    const entries = inputCommitments.map((commitment, i) => ({
      position: firstTask + i,
      leaf: inputLeaf(firstTask + i, commitment),
    }))
    const root = rootFromMultiproof(PAIR_SCHEME, { entries, depth: ceilLog2(13), proof: inputProof })
    assert.equal(root, submission.terms.inputs)
    const { status, body } = await deliver(worker, bundle)
    assert.deepEqual([status, body], [200, { stored: true }])
  }
  const rows = await service.db.select().from(shards).where(eq(shards.jobId, jobId))
  assert.deepEqual(
    rows.map((row) => [row.state, row.units]),
    [
      ["received", 8],
      ["received", 5],
    ],
  )
})

test("behavior: a poll waits for work and is woken by it", async () => {
  const worker = await readyWorker(service)
  const waiting = askLease(service, worker, { wait: 20 })
  const start = Date.now()
  await open()
  const { status } = await waiting
  assert.equal(status, 200)
  assert.ok(Date.now() - start < 10_000, "it did not sleep through the posting")
})

test("behavior: without work the poll ends with 204", async () => {
  const worker = await readyWorker(service)
  const { status, body } = await askLease(service, worker)
  assert.deepEqual([status, body], [204, undefined])
})

test("R14: forty polls at once never share a shard, and the database agrees", async () => {
  const { jobId } = await open({ tasks: 24, shardSize: 1 })
  const crowd = await Promise.all(Array.from({ length: 40 }, () => readyWorker(service)))
  const answers = await Promise.all(crowd.map((worker) => askLease(service, worker, { wait: 2 })))
  const got = answers.filter(({ status }) => status === 200).map(({ body }) => body.lease.shard)
  assert.equal(got.length, 24)
  assert.equal(new Set(got).size, 24)
  const rows = await service.db.select().from(leases).where(eq(leases.jobId, jobId))
  assert.equal(rows.length, 24)
})

test("R14: a lease that ran out goes to somebody else, no sooner than it ended, and the log says why", async () => {
  const { jobId } = await open({ tasks: 1, shardSize: 1 })
  const [slow, next] = [await readyWorker(service), await readyWorker(service)]
  const first = await takeLease(service, slow)
  await pass(service.policy.leaseSeconds - 1)
  assert.equal((await askLease(service, next)).status, 204)
  await pass(EXPIRY_GRACE_SECONDS + 2)
  const second = await takeLease(service, next)
  assert.ok(second.lease.start >= first.lease.expiry, "the two do not overlap")
  const { body } = await service.send("GET", `/v1/why/task/${jobId}/0`)
  assert.equal(body.code, "TASK_LEASED")
  assert.ok(body.events.some((event: { code: string }) => event.code === "TASK_LEASE_EXPIRED"))
  // The slow one comes too late.
  const { status, body: refusal } = await deliver(slow, first)
  assert.deepEqual([status, refusal.code], [409, "E_LEASE_ENDED"])
})

test("behavior: a receipt that comes late, while nobody else has the shard, is still taken", async () => {
  await open({ tasks: 1, shardSize: 1 })
  const worker = await readyWorker(service)
  const bundle = await takeLease(service, worker)
  await pass(service.policy.leaseSeconds + EXPIRY_GRACE_SECONDS + 1)
  assert.equal((await shardOf(bundle)).state, "queued")
  assert.equal((await deliver(worker, bundle)).status, 200)
  assert.equal((await shardOf(bundle)).state, "received")
  assert.equal((await askLease(service, await readyWorker(service))).status, 204)
})

test("R14: a signed release frees the shard at once; one of a stranger or of the future does not", async () => {
  await open({ tasks: 1, shardSize: 1 })
  const [worker, stranger] = [await readyWorker(service), await readyWorker(service)]
  const bundle = await takeLease(service, worker)
  service.clock.time += 5
  assert.equal((await release(stranger, bundle)).body.code, "E_LEASE_NOT_YOURS")
  assert.equal((await release(worker, bundle, { at: service.clock.time + 1_000 })).body.code, "E_BAD_REQUEST")
  assert.deepEqual((await release(worker, bundle)).body, { released: true })
  assert.deepEqual((await release(worker, bundle)).body, { released: true }, "saying it twice changes nothing")
  await service.feeder.feed()
  const again = await takeLease(service, stranger)
  assert.ok(again.lease.start >= bundle.lease.start + 5n)
  const { body } = await deliver(worker, bundle)
  assert.equal(body.code, "E_LEASE_ENDED")
})

test("R13: no lease without free collateral for one more range than is promised, and why says so", async () => {
  // C = minCollateral 1,000 is below the formula here: u F / (p d b) = 10 / (0.05 x 0.2963 x 0.5) = 1,350.
  await open({ tasks: 8, shardSize: 1 })
  const worker = await readyWorker(service, 1_349n)
  assert.equal((await askLease(service, worker, { wait: 1 })).status, 204)
  await service.book.flush()
  const { body } = await service.send("GET", `/v1/why/worker/${worker.address}`)
  assert.equal(body.code, "WORKER_COLLATERAL")
  assert.match(body.reason, /free 0.00000000000000134 ASY, needed 0.00000000000000135 ASY/)
  service.pairs.set(worker.address, { free: 1_350n, owed: 0n, noticeAt: 0, flags: 0 })
  const bundle = await takeLease(service, worker)
  // A second lease of the same job joins the same range to come; a delivered one is a range of its own.
  await takeLease(service, worker)
  assert.equal((await deliver(worker, bundle)).status, 200)
  assert.equal((await askLease(service, worker, { wait: 1 })).status, 204)
  service.pairs.set(worker.address, { free: 2_700n, owed: 0n, noticeAt: 0, flags: 0 })
  await takeLease(service, worker)
  // Notice: no new range may rely on it.
  service.pairs.set(worker.address, { free: 10n ** 9n, owed: 0n, noticeAt: service.clock.time + 100, flags: 0 })
  assert.equal((await askLease(service, worker, { wait: 1 })).status, 204)
  const again = await service.send("GET", `/v1/why/worker/${worker.address}`)
  assert.equal(again.body.code, "WORKER_NOTICE")
})

test("R16: a worker holds no more leases than the coordinator allows", async () => {
  await open({ tasks: 12, shardSize: 1 })
  const worker = await readyWorker(service)
  for (let i = 0; i < service.policy.leasesPerWorker; i++) await takeLease(service, worker)
  assert.equal((await askLease(service, worker, { wait: 1 })).status, 204)
})

test("R25: a job whose capability has too few seats is not leased, and why says so", async () => {
  const { jobId } = await open({ tasks: 1, shardSize: 1 })
  const worker = await readyWorker(service)
  service.seats.seats = 3
  assert.equal((await askLease(service, worker, { wait: 1 })).status, 204)
  const { body } = await service.send("GET", `/v1/why/job/${jobId}`)
  assert.equal(body.code, "JOB_WAITING_SEATS")
  service.seats.seats = 4
  await new Promise((resolve) => setTimeout(resolve, 2_100)) // the shard was put aside for two seconds
  await takeLease(service, worker)
})

test("error: hostile receipts, each by its code, and none is stored", async () => {
  await open({ tasks: 4, shardSize: 4 })
  const worker = await readyWorker(service)
  const bundle = await takeLease(service, worker)
  const good = compute(bundle)
  const leafAt = (json: Record<string, unknown>, i: number) => (json.leaves as Record<string, unknown>[])[i]!
  const other = compute(bundle, (i) => outputOf(i + 1))
  const cases: [string, string, Parameters<typeof deliver>[2]][] = [
    ["a leaf is missing", "E_RECEIPT_LEAVES", { change: (json) => (json.leaves as unknown[]).pop() }],
    [
      "another task's index",
      "E_RECEIPT_LEAVES",
      { change: (json) => Object.assign(leafAt(json, 1), { taskIndex: 3 }) },
    ],
    [
      "an input that is not the job's",
      "E_RECEIPT_LEAVES",
      { change: (json) => Object.assign(leafAt(json, 0), { inputCommitment: `0x${"1".repeat(64)}` }) },
    ],
    [
      "more units than the terms allow",
      "E_RECEIPT_UNITS",
      { change: (json) => Object.assign(leafAt(json, 0), { units: 2 }) },
    ],
    ["no units at all", "E_RECEIPT_UNITS", { change: (json) => Object.assign(leafAt(json, 0), { units: 0 }) }],
    [
      "a leaf changed after signing",
      "E_RECEIPT_ROOT",
      { change: (json) => Object.assign(leafAt(json, 2), { outputCommitment: `0x${"2".repeat(64)}` }) },
    ],
    ["outputs of other leaves", "E_RECEIPT_OUTPUTS", { work: { leaves: good.leaves, outputs: other.outputs } }],
    [
      "outputs that are no bundle",
      "E_RECEIPT_OUTPUTS",
      { work: { leaves: good.leaves, outputs: Buffer.from("junk") } },
    ],
    [
      "outputs that were never uploaded",
      "E_ARTIFACT_UNKNOWN",
      { change: (json) => Object.assign(json, { outputs: `0x${"3".repeat(64)}` }) },
    ],
    [
      "a signature of nobody",
      "E_RECEIPT_SIGNATURE",
      { change: (json) => Object.assign(json, { signature: `0x${"4".repeat(128)}1b` }) },
    ],
    [
      "a receipt of another lease",
      "E_BAD_REQUEST",
      { change: (json) => Object.assign(json.receipt as object, { leaseHash: `0x${"5".repeat(64)}` }) },
    ],
    [
      "units beyond any number",
      "E_BAD_REQUEST",
      { change: (json) => Object.assign(json.receipt as object, { units: "1".repeat(90) }) },
    ],
  ]
  for (const [name, code, given] of cases) {
    const { status, body } = await deliver(worker, bundle, given)
    assert.equal(body.code, code, `${name}: ${JSON.stringify(body)}`)
    assert.ok(status >= 400 && status < 500, name)
  }
  const stored = await service.db
    .select()
    .from(receipts)
    .where(eq(receipts.leaseHash, leaseHash(bundle.lease)))
  assert.equal(stored.length, 0)
  assert.equal((await deliver(worker, bundle, { work: good })).status, 200)
})

test("R8: the same receipt may come twice, even at once; another one for the lease may not", async () => {
  await open({ tasks: 2, shardSize: 2 })
  const worker = await readyWorker(service)
  const bundle = await takeLease(service, worker)
  const answers = await Promise.all([deliver(worker, bundle), deliver(worker, bundle), deliver(worker, bundle)])
  for (const { status } of answers) assert.equal(status, 200)
  const { status, body } = await deliver(worker, bundle, { work: compute(bundle, (i) => outputOf(i + 7)) })
  assert.deepEqual([status, body.code], [409, "E_RECEIPT_CONFLICT"])
})

test("error: leases of others and leases that never were", async () => {
  await open({ tasks: 1, shardSize: 1 })
  const [worker, stranger] = [await readyWorker(service), await readyWorker(service)]
  const bundle = await takeLease(service, worker)
  assert.equal((await deliver(stranger, bundle)).body.code, "E_LEASE_NOT_YOURS")
  const never = { ...bundle, lease: { ...bundle.lease, start: 1n } }
  assert.equal((await deliver(worker, never)).body.code, "E_LEASE_UNKNOWN")
  const unknown = service.account()
  assert.equal((await askLease(service, unknown)).body.code, "E_WORKER_UNKNOWN")
})

test("behavior: a worker that fails three times in a row is cooled down, and a receipt clears its record", async () => {
  await open({ tasks: 8, shardSize: 1 })
  const worker = await readyWorker(service)
  for (let i = 0; i < 2; i++) assert.equal((await release(worker, await takeLease(service, worker))).status, 200)
  await service.feeder.feed()
  assert.equal((await deliver(worker, await takeLease(service, worker))).status, 200)
  const failures = async () =>
    (await service.db.select().from(workers).where(eq(workers.account, worker.address)))[0]!.failures
  assert.equal(await failures(), 0)
  for (let i = 0; i < 3; i++) {
    await service.feeder.feed()
    await release(worker, await takeLease(service, worker))
  }
  assert.equal(await failures(), 3)
  service.book.forget(worker.address)
  assert.equal((await askLease(service, worker, { wait: 1 })).status, 204)
  const { body } = await service.send("GET", `/v1/why/worker/${worker.address}`)
  assert.equal(body.code, "WORKER_COOLING")
})

test("R8: a second process with the same key is told so", async () => {
  const worker = await readyWorker(service)
  const first = askLease(service, worker, { wait: 3 })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const { status, body } = await askLease(service, worker, { wait: 3 })
  assert.deepEqual([status, body.code], [409, "E_WORKER_TWICE"])
  assert.equal((await first).status, 204)
})
