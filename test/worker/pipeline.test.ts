import assert from "node:assert/strict"
import { before, test } from "node:test"
import { type Backend, bundleName, createRunner, decodeBundle, encodeBundle } from "#engine"
import { buildShardTree, isSignedBy, leaseHash, outputCommitment, taskSalt } from "#protocol"
import { sha256Of } from "../../worker/artifacts/cache.ts"
import { workerError } from "../../worker/errors.ts"
import { runPipeline } from "../../worker/leases/pipeline.ts"
import { resendLoop, returnAbandoned } from "../../worker/leases/resend.ts"
import { createFakeCoordinator } from "./support/fakeCoordinator.ts"
import { buildJob, DOMAIN, JOB_ID, JOB_SALT, lower, NOW, SESSION, type TestJob, WORKER } from "./support/job.ts"
import { buildHarness, temporaryFolder } from "./support/pipeline.ts"

let job: TestJob
before(async () => {
  job = await buildJob()
})

function signals() {
  const [stop, abort] = [new AbortController(), new AbortController()]
  return { stop, abort, signals: { stopping: stop.signal, aborting: abort.signal } }
}

test("behavior: leases become receipts whose leaves, root, outputs and signature hold", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0), await job.lease(1)])
  const { deps, events } = await buildHarness(t, { job, fake })
  const { stop, signals: both } = signals()
  const running = runPipeline(deps, both)
  await fake.until(() => fake.receipts.length === 2)
  stop.abort()
  await running
  const runner = createRunner()
  t.after(() => runner.close())
  await runner.load(job.model, job.spec.model.sha256)
  for (const [shard, stored] of fake.receipts.entries()) {
    const { lease, firstTask } = await job.lease(shard)
    assert.equal(stored.leaseHash, leaseHash(lease))
    const { receipt, signature, leaves } = stored
    assert.ok(
      await isSignedBy({ domain: DOMAIN, type: "Receipt", message: receipt, signature, signer: SESSION.address }),
    )
    const tree = buildShardTree({
      jobId: JOB_ID,
      shardSize: job.terms.shardSize,
      leaves: leaves.map((leaf) => ({ ...leaf, worker: lower(WORKER.address) })),
    })
    assert.deepEqual({ hash: receipt.shardRoot, units: receipt.units }, tree.root)
    const outputs = new Map(decodeBundle(fake.artifacts.get(stored.outputs)!).map(({ name, tensor }) => [name, tensor]))
    for (const [i, leaf] of leaves.entries()) {
      const index = firstTask + i
      const [label, ...digests] = await runner.run(job.spec.model.sha256, [job.inputs[index]!])
      assert.equal(leaf.taskIndex, index)
      assert.equal(leaf.inputCommitment, job.commitments[index])
      const salt = taskSalt(JOB_SALT, index)
      assert.equal(leaf.outputCommitment, outputCommitment(salt, { outputs: [label!], digests }))
      assert.deepEqual(outputs.get(bundleName(index, "label")), label)
    }
  }
  for (const kind of ["leased", "computed", "receipt"]) {
    assert.equal(events.filter((event) => event.kind === kind).length, 2, `${kind} events`)
  }
  assert.deepEqual(
    deps.records.all().map(({ state }) => state),
    ["stored", "stored"],
  )
})

test("error: R1: inputs that arrive whole but are not the committed ones are refused and the lease given back", async (t) => {
  const bad = decodeBundle(job.bundles[0]!).map(({ name, tensor }) => ({
    name,
    tensor: { ...tensor, data: tensor.data.map((byte) => byte ^ 1) },
  }))
  const bytes = encodeBundle(bad)
  // The lie needs a spec that names the wrong bundle; checkLease would see that, so it is made where inputs are read.
  const shards = [{ inputs: sha256Of(bytes), bytes: bytes.byteLength }, job.spec.shards[1]!]
  const liar = { ...job, spec: { ...job.spec, shards } }
  const honest = await job.lease(0)
  const fake = createFakeCoordinator(liar, [])
  fake.artifacts.set(sha256Of(bytes), bytes)
  const { specHash, termsHash } = await import("#protocol")
  const terms = { ...job.terms, specHash: specHash(liar.spec) }
  const bundle = { ...honest, spec: liar.spec, terms, inputs: sha256Of(bytes) }
  const leases = [bundle]
  const { deps } = await buildHarness(t, { job: { ...liar, terms }, fake })
  assert.equal(await deps.check.chain.termsHashOf(JOB_ID), termsHash(terms))
  const { stop, signals: both } = signals()
  const askForLease = async (signal: AbortSignal) => leases.shift() ?? (await fake.askForLease(signal))
  const running = runPipeline({ ...deps, askForLease }, both)
  await fake.until(() => fake.releases.length === 1)
  stop.abort()
  await running
  assert.equal(fake.releases[0]!.code, "E_LEASE_INPUT")
  assert.equal(fake.receipts.length, 0)
})

test("error: R2: a coordinator that serves another model's bytes is found out by their hash", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0)])
  fake.artifacts.set(
    job.spec.model.sha256,
    job.model.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
  )
  const { deps } = await buildHarness(t, { job, fake })
  const { stop, signals: both } = signals()
  const running = runPipeline(deps, both)
  await fake.until(() => fake.releases.length === 1)
  stop.abort()
  await running
  assert.equal(fake.releases[0]!.code, "E_ARTIFACT_HASH")
})

test("error: R8: the same lease handed out again is not computed again", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0), await job.lease(0), await job.lease(1)])
  const { deps, events } = await buildHarness(t, { job, fake })
  const { stop, signals: both } = signals()
  const running = runPipeline(deps, both)
  await fake.until(() => fake.receipts.length === 2)
  stop.abort()
  await running
  assert.ok(events.some((event) => event.kind === "refused" && event.code === "E_SIGNED_ALREADY"))
  assert.deepEqual(fake.releases, [])
})

test("behavior: stopping finishes the shard at hand and gives the fetched one back, signed", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0), await job.lease(1)])
  const begun = createGate()
  const slow = (honest: Backend): Backend => ({
    ...honest,
    async *runShard(model, tasks, options) {
      begun.open()
      await fake.until(() => stopped)
      yield* honest.runShard(model, tasks, options)
    },
  })
  let stopped = false
  const { deps } = await buildHarness(t, { job, fake, backend: slow })
  const { stop, signals: both } = signals()
  const running = runPipeline(deps, both)
  await begun.wait
  // The second lease is fetched while the first is computed.
  while (deps.records.all().length < 2) await new Promise((resolve) => setImmediate(resolve))
  stop.abort()
  stopped = true
  fake.wake()
  await running
  assert.deepEqual(
    fake.receipts.map(({ leaseHash: hash }) => hash),
    [leaseHash((await job.lease(0)).lease)],
  )
  const [release] = fake.releases
  assert.equal(release?.leaseHash, leaseHash((await job.lease(1)).lease))
  assert.equal(release?.code, "E_WORKER_STOPPED")
  const signed = { domain: DOMAIN, type: "Release", message: release!.release, signature: release!.signature } as const
  assert.ok(await isSignedBy({ ...signed, signer: SESSION.address }))
})

test("behavior: a stop that will not wait gives the running lease back too", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0)])
  const begun = createGate()
  const endless = (honest: Backend): Backend => ({
    ...honest,
    async *runShard(_model, _tasks, { signal }) {
      begun.open()
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }))
    },
  })
  const { deps } = await buildHarness(t, { job, fake, backend: endless })
  const { stop, abort, signals: both } = signals()
  const running = runPipeline(deps, both)
  await begun.wait
  stop.abort()
  abort.abort()
  await running
  assert.deepEqual(
    fake.releases.map(({ code }) => code),
    ["E_WORKER_STOPPED"],
  )
})

test("behavior: a shard that would outlast its lease is given back, not begun", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0)])
  let now = NOW
  const { deps } = await buildHarness(t, { job, fake, now: () => now })
  const { stop, signals: both } = signals()
  const checkCollateral = async () => {
    now = NOW + 60n
  }
  const late = { ...deps, checkCollateral }
  const running = runPipeline(late, both)
  while (deps.records.all().some(({ state }) => state === "leased") || now === NOW) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  stop.abort()
  await running
  assert.deepEqual([fake.receipts.length, fake.releases.length], [0, 0], "it has run out: there is nothing to release")
  assert.deepEqual(deps.records.all(), [])
})

test("behavior: a receipt that could not be delivered is delivered after a restart, with the same signature", async (t) => {
  const folder = await temporaryFolder(t)
  const fake = createFakeCoordinator(job, [await job.lease(0)])
  let now = NOW
  const { deps } = await buildHarness(t, { job, fake, folder, now: () => now })
  const { stop, abort, signals: both } = signals()
  const running = runPipeline(deps, both)
  while (deps.records.all()[0]?.state !== "leased") await new Promise((resolve) => setImmediate(resolve))
  while (!deps.cache.has(job.spec.model.sha256)) await new Promise((resolve) => setImmediate(resolve))
  while (!deps.cache.has(job.spec.shards[0]!.inputs)) await new Promise((resolve) => setImmediate(resolve))
  fake.setDown(true)
  while (deps.records.all()[0]?.state !== "signed") await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  abort.abort()
  await running
  assert.equal(fake.receipts.length, 0)
  fake.setDown(false)
  now = NOW + 20n
  const again = await buildHarness(t, { job, fake, folder, now: () => now })
  const end = new AbortController()
  const resending = resendLoop(again.deps, end.signal)
  await fake.until(() => fake.receipts.length === 1)
  end.abort()
  await resending
  const { receipt, signature } = fake.receipts[0]!
  assert.ok(await isSignedBy({ domain: DOMAIN, type: "Receipt", message: receipt, signature, signer: SESSION.address }))
  assert.deepEqual(
    again.deps.records.all().map(({ state }) => state),
    ["stored"],
  )
})

test("behavior: a lease that a crash cut short is given back at the next start", async (t) => {
  const fake = createFakeCoordinator(job, [])
  const { deps } = await buildHarness(t, { job, fake })
  await deps.records.put({ state: "leased", bundle: await job.lease(0), changedAt: Number(NOW) })
  await returnAbandoned(deps, Object.assign(new Error("it crashed"), { code: "E_WORKER_STOPPED" }))
  assert.deepEqual(
    fake.releases.map(({ leaseHash: hash }) => hash),
    [leaseHash((await job.lease(0)).lease)],
  )
  assert.deepEqual(deps.records.all(), [])
})

test("error: a backend that gives too few results loses the lease, not the worker", async (t) => {
  const fake = createFakeCoordinator(job, [await job.lease(0), await job.lease(1)])
  let shards = 0
  const lazy = (honest: Backend): Backend => ({
    ...honest,
    async *runShard(model, tasks, options) {
      yield* honest.runShard(model, shards++ === 0 ? tasks.slice(1) : tasks, options)
    },
  })
  const { deps } = await buildHarness(t, { job, fake, backend: lazy })
  const { stop, signals: both } = signals()
  const running = runPipeline(deps, both)
  await fake.until(() => fake.receipts.length === 1 && fake.releases.length === 1)
  stop.abort()
  await running
  assert.equal(fake.releases[0]!.code, "E_RUN_FAILED")
})

test("error: R8: a coordinator that goes on refusing a second process with this key ends the worker", async (t) => {
  const fake = createFakeCoordinator(job, [])
  const { deps } = await buildHarness(t, { job, fake })
  let asked = 0
  const askForLease = async () => {
    asked++
    throw workerError("E_WORKER_TWICE", "a second process waits")
  }
  const { signals: both } = signals()
  await assert.rejects(runPipeline({ ...deps, askForLease, doubleMs: 500 }, both), { code: "E_WORKER_TWICE" })
  assert.ok(asked > 1, "once may be the echo of its own last poll")
})

function createGate() {
  let open = () => {}
  const wait = new Promise<void>((resolve) => {
    open = resolve
  })
  return { wait, open }
}
