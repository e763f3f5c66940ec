import assert from "node:assert/strict"
import { after, test } from "node:test"
import { and, eq } from "drizzle-orm"
import { writeModel } from "#engine"
import { capabilityOf, jobIdOf, taskSalt, termsHash } from "#protocol"
import { jobs, shards } from "../../../coordinator/store/schema.ts"
import { ownFolder } from "../support/folder.ts"
import { addOneModel, buildSubmission, floats, inputOf, type JobOptions, submit, uploadAll } from "../support/job.ts"
import { DEPLOYMENT, startService } from "../support/service.ts"

const service = await startService({ dir: await ownFolder({ after }) })
after(() => service.close())

async function sent(options: JobOptions = {}) {
  const requester = service.account()
  const { submission, files } = buildSubmission(service, requester, options)
  await uploadAll(service, requester, files)
  return { ...(await submit(service, requester, submission)), requester, submission }
}

test("behavior: a good submission is stored once, with its shards, and waits for its escrow", async () => {
  const { status, body, requester, submission } = await sent({ tasks: 13, shardSize: 5 })
  assert.equal(status, 200, JSON.stringify(body))
  const { chainId, contracts } = DEPLOYMENT
  const jobId = jobIdOf({ chainId, market: contracts.market, requester: requester.address, nonce: 0n })
  assert.equal(BigInt(body.jobId), jobId)
  const again = await submit(service, requester, submission)
  assert.deepEqual(again.body, body)
  const rows = await service.db.select().from(shards).where(eq(shards.jobId, jobId))
  assert.equal(rows.length, 3)
  const view = await service.send("GET", `/v1/jobs/${body.jobId}`)
  assert.equal(view.body.state, "submitted")
  assert.equal(view.body.reason.code, "JOB_SUBMITTED")
  assert.equal(view.body.terms.fee, "10")
  assert.equal(view.body.jobSalt, undefined, "R6: the salt is shown to nobody")
  assert.ok(!view.raw.toString().includes("5a5a5a5a"), "R6: nor hidden anywhere in the view")
  // Nothing is leased before the escrow is seen.
  assert.equal(await service.feeder.feed(), 0)
})

test("R6: a public job's inputs are anyone's, a task's salt once its shard is attested; another job's never", async () => {
  const salt = (jobId: string, index: number) => service.send("GET", `/v1/jobs/${jobId}/tasks/${index}/salt`)
  const hidden = await sent({ tasks: 6, shardSize: 3 })
  assert.deepEqual((await salt(hidden.body.jobId, 0)).body.code, "E_JOB_NOT_PUBLIC")
  const { body, submission } = await sent({ tasks: 4, shardSize: 2, spec: (spec) => ({ ...spec, public: true }) })
  assert.equal((await salt(body.jobId, 0)).body.code, "E_BATCH_NOT_PUBLIC", "verdicts on it are still blind")
  const first = and(eq(shards.jobId, BigInt(body.jobId)), eq(shards.shard, 0))
  await service.db.update(shards).set({ state: "attested" }).where(first)
  assert.equal((await salt(body.jobId, 1)).body.salt, taskSalt(submission.jobSalt, 1))
  assert.equal((await salt(body.jobId, 2)).body.code, "E_BATCH_NOT_PUBLIC", "the other shard's are not out yet")
  assert.equal((await salt(body.jobId, 4)).status, 400)
  for (const [{ spec }, status] of [
    [submission, 200],
    [hidden.submission, 404],
  ] as const) {
    const got = await service.send("GET", `/v1/artifacts/${spec.shards[1]!.inputs}`)
    assert.equal(got.status, status)
  }
})

test("behavior: a job that was posted before it was submitted is caught up with", async () => {
  const requester = service.account()
  const { submission, files } = buildSubmission(service, requester)
  await uploadAll(service, requester, files)
  const { chainId, contracts } = DEPLOYMENT
  const jobId = jobIdOf({ chainId, market: contracts.market, requester: requester.address, nonce: 0n })
  service.posted.set(jobId, termsHash(submission.terms))
  assert.equal((await submit(service, requester, submission)).status, 200)
  assert.deepEqual(service.reapplied, [jobId])
})

test("error: another job under the same nonce", async () => {
  const requester = service.account()
  const first = buildSubmission(service, requester)
  const second = buildSubmission(service, requester, { tasks: 8 })
  await uploadAll(service, requester, [...first.files, ...second.files])
  assert.equal((await submit(service, requester, first.submission)).status, 200)
  const { status, body } = await submit(service, requester, second.submission)
  assert.deepEqual([status, body.code], [409, "E_JOB_EXISTS"])
})

test("error: what is wrong with a submission is said by code before money moves, and nothing is stored", async () => {
  const other = service.account()
  const model = (op: string) =>
    writeModel({
      name: "odd",
      nodes: [{ op, inputs: ["x"], outputs: ["y"], name: "odd" }],
      inputs: [{ name: "x", dtype: "float32", dims: [1, 4] }],
      outputs: [{ name: "y", dtype: "float32", dims: [1, 4] }],
    })
  const cases: [string, string, string | undefined, JobOptions][] = [
    ["another requester", "E_AUTH_FORBIDDEN", undefined, { terms: { requester: other.address } }],
    ["another coordinator", "E_JOB_COORDINATOR", undefined, { terms: { coordinator: other.address } }],
    ["the tolerant class", "E_JOB_TERMS", undefined, { terms: { class: 1 } }],
    ["a session", "E_JOB_TERMS", undefined, { terms: { kind: 1 } }],
    ["an audit rate of nothing", "E_JOB_TERMS", undefined, { terms: { auditRate: 0, auditBudget: 10n ** 9n } }],
    ["a budget below R9", "E_JOB_TERMS", undefined, { terms: { auditBudget: 1n } }],
    ["a deadline that has passed", "E_JOB_TERMS", undefined, { terms: { deadline: 1n } }],
    ["a fee below the policy", "E_JOB_POLICY", undefined, { terms: { fee: 9n } }],
    ["a coordinator's fee below the policy", "E_JOB_POLICY", undefined, { terms: { coordinatorFee: 0n } }],
    ["more tasks than the limit", "E_JOB_LIMITS", undefined, { tasks: 5_001, shardSize: 1024 }],
    [
      "another capability than the spec's",
      "E_JOB_CAPABILITY",
      undefined,
      { terms: { capability: capabilityOf("exact-cpu-1", 8) } },
    ],
    ["another spec hash", "E_JOB_SPEC_HASH", undefined, { terms: { specHash: `0x${"1".repeat(64)}` } }],
    ["another program root", "E_JOB_PROGRAM_ROOT", undefined, { terms: { programRoot: `0x${"1".repeat(64)}` } }],
    ["another inputs root", "E_JOB_INPUTS_ROOT", undefined, { terms: { inputs: `0x${"1".repeat(64)}` } }],
    ["too few bundles", "E_JOB_INPUTS", undefined, { spec: (spec) => ({ ...spec, shards: spec.shards.slice(1) }) }],
    [
      "a bundle of another size than the spec says",
      "E_JOB_INPUTS",
      undefined,
      { spec: (spec) => ({ ...spec, shards: spec.shards.map((s) => ({ ...s, bytes: s.bytes + 1 })) }) },
    ],
    [
      "inputs of a wrong shape",
      "E_JOB_INPUTS",
      "E_INPUT_SHAPE",
      { inputs: () => [{ name: "x", tensor: floats([1, 2], [1, 2]) }] },
    ],
    [
      "inputs of a wrong type",
      "E_JOB_INPUTS",
      "E_INPUT_DTYPE",
      { inputs: () => [{ name: "x", tensor: { dtype: "int32", dims: [1, 4], data: new Uint8Array(16) } }] },
    ],
    [
      "inputs of a wrong name",
      "E_JOB_INPUTS",
      "E_INPUT_MISSING",
      { inputs: (i) => [{ name: "z", tensor: inputOf(i) }] },
    ],
    [
      "an input too many",
      "E_JOB_INPUTS",
      "E_INPUT_NAME",
      {
        inputs: (i) => [
          { name: "x", tensor: inputOf(i) },
          { name: "z", tensor: inputOf(i) },
        ],
      },
    ],
    ["no ONNX file", "E_JOB_MODEL", "E_MODEL_NOT_ONNX", { model: Buffer.from("this is no model at all") }],
    ["a truncated one", "E_JOB_MODEL", undefined, { model: addOneModel().subarray(0, 60) }],
    ["an operation that draws numbers", "E_JOB_MODEL", "E_MODEL_NONDETERMINISTIC", { model: model("Bernoulli") }],
    ["an operation that nobody knows", "E_JOB_MODEL", undefined, { model: model("Frobnicate") }],
    [
      "another interface than the model's",
      "E_JOB_MODEL",
      "E_MODEL_INTERFACE",
      {
        spec: (spec) => ({
          ...spec,
          model: { ...spec.model, outputs: [{ name: "w", dtype: "float32", dims: [1, 4] }] },
        }),
      },
    ],
    [
      "a digest tensor that the model does not have",
      "E_JOB_MODEL",
      "E_MODEL_DIGEST",
      { spec: (spec) => ({ ...spec, model: { ...spec.model, digestTensors: ["x"] } }) },
    ],
  ]
  const before = (await service.db.select().from(jobs)).length
  for (const [name, code, reason, options] of cases) {
    const { status, body } = await sent(options)
    assert.equal(body.code, code, `${name}: ${JSON.stringify(body).slice(0, 300)}`)
    if (reason) assert.equal(body.details.reason, reason, name)
    assert.ok(status >= 400 && status < 500, `${name}: ${status}`)
    assert.ok(body.message.length > 10, name)
  }
  assert.equal((await service.db.select().from(jobs)).length, before)
})

test("error: files that were never uploaded are named", async () => {
  const requester = service.account()
  const { submission, files } = buildSubmission(service, requester)
  await uploadAll(service, requester, files.slice(0, 2))
  const { status, body } = await submit(service, requester, submission)
  assert.deepEqual([status, body.code], [404, "E_ARTIFACT_UNKNOWN"])
  assert.deepEqual(body.details.missing, [submission.spec.shards[1]!.inputs])
})

test("attack: another's private inputs, named by their hash, cannot be leased to a friend", async () => {
  const [victim, thief] = [service.account(), service.account()]
  const private_ = buildSubmission(service, victim, { inputs: (i) => [{ name: "x", tensor: inputOf(i) }] })
  await uploadAll(service, victim, private_.files)
  // The thief knows the hashes of the bundles, not their bytes.
  const { submission, files } = buildSubmission(service, thief)
  await uploadAll(service, thief, files.slice(0, 1))
  const { body } = await submit(service, thief, submission)
  assert.equal(body.code, "E_ARTIFACT_UNKNOWN")
})

test("attack: another's artifact, named as what results repeat, is not shown to a friend that works", async () => {
  const [victim, thief] = [service.account(), service.account()]
  const secret = await service.upload(victim, Buffer.from("what nobody shall see"))
  const { submission, files } = buildSubmission(service, thief, { expected: secret })
  await uploadAll(service, thief, files)
  const { body } = await submit(service, thief, submission)
  assert.deepEqual([body.code, body.details.missing], ["E_ARTIFACT_UNKNOWN", [secret]])
})

test("error: an escrow beyond the balance is told before posting", async () => {
  const requester = service.account()
  service.balances.set(requester.address, 5n)
  const { submission, files } = buildSubmission(service, requester)
  await uploadAll(service, requester, files)
  const { status, body } = await submit(service, requester, submission)
  assert.deepEqual([status, body.code, body.details.balance], [422, "E_JOB_BALANCE", "5"])
})

test("error: an account that submits and never posts comes to an end", async () => {
  const requester = service.account()
  for (let nonce = 0n; nonce < 4n; nonce++) {
    const { submission, files } = buildSubmission(service, requester, { nonce })
    await uploadAll(service, requester, files)
    assert.equal((await submit(service, requester, submission)).status, 200)
  }
  const { submission } = buildSubmission(service, requester, { nonce: 4n })
  const { status, body } = await submit(service, requester, submission)
  assert.deepEqual([status, body.code], [429, "E_QUOTA"])
  // Those that can be posted no more do not count for ever.
  service.clock.time += 3_601
  const later = buildSubmission(service, requester, { nonce: 5n })
  await uploadAll(service, requester, later.files)
  assert.equal((await submit(service, requester, later.submission)).status, 200)
})

test("behavior: jobs are listed page by page, newest first, by requester and state", async () => {
  const requester = service.account()
  const ids: string[] = []
  for (let nonce = 0n; nonce < 3n; nonce++) {
    const { submission, files } = buildSubmission(service, requester, { nonce })
    await uploadAll(service, requester, files)
    ids.unshift((await submit(service, requester, submission)).body.jobId)
  }
  const page = (query: string) => service.send("GET", `/v1/jobs?requester=${requester.address}&${query}`)
  const first = await page("limit=2")
  assert.deepEqual(
    first.body.jobs.map((job: { jobId: string }) => job.jobId),
    ids.slice(0, 2),
  )
  const second = await page(`limit=2&cursor=${first.body.next}`)
  assert.deepEqual(
    second.body.jobs.map((job: { jobId: string }) => job.jobId),
    ids.slice(2),
  )
  assert.equal(second.body.next, undefined)
  assert.equal((await page("state=open")).body.jobs.length, 0)
  assert.equal((await page("cursor=nonsense")).body.code, "E_BAD_REQUEST")
})
