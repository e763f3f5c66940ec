import { createHash } from "node:crypto"
import { eq } from "drizzle-orm"
import { type Hex, zeroHash } from "viem"
import { z } from "zod"
import { bundleName, compileProgram, encodeBundle, writeModel } from "#engine"
import {
  buildShardTree,
  digestPart,
  inputCommitment,
  inputsRoot,
  type JobSubmission,
  JobSubmissionSchema,
  joinOutput,
  LeaseBundleSchema,
  minAuditBudget,
  outputPart,
  type Spec,
  shardCount,
  shardTasks,
  signMessage,
  specHash,
  TERMS_VERSION,
  type Tensor,
  type Terms,
  taskSalt,
  type WireLeaf,
} from "#protocol"
import { jobs } from "../../../coordinator/store/schema.ts"
import { type Account, CAPABILITY, type Service } from "./service.ts"

const DIMS = [1, 4]

/** y = x + 1, as an ONNX file of the project's own making. */
export function addOneModel(): Uint8Array {
  return writeModel({
    name: "addOne",
    nodes: [{ op: "Add", inputs: ["x", "one"], outputs: ["y"], name: "add" }],
    inputs: [{ name: "x", dtype: "float32", dims: DIMS }],
    outputs: [{ name: "y", dtype: "float32", dims: DIMS }],
    initializers: { one: floats([1, 1, 1, 1]) },
  })
}

export function floats(values: readonly number[], dims: readonly number[] = DIMS): Tensor {
  return { dtype: "float32", dims, data: new Uint8Array(new Float32Array(values).buffer) }
}

export const inputOf = (taskIndex: number): Tensor => floats([taskIndex, 1, 2, 3])
export const outputOf = (taskIndex: number): Tensor => floats([taskIndex + 1, 2, 3, 4])

export type JobOptions = {
  tasks?: number
  shardSize?: number
  nonce?: bigint
  terms?: Partial<Terms>
  /** Changes the bundles of inputs before they are hashed and uploaded. */
  inputs?: (taskIndex: number) => { name: string; tensor: Tensor }[]
  model?: Uint8Array
  spec?: (spec: Spec) => Spec
  /** Already uploaded by the requester. */
  expected?: Hex
}

/** A whole submission with its files, correct in every way but for what the options change. */
export function buildSubmission(service: Service, requester: Account, options: JobOptions = {}) {
  const { tasks = 16, shardSize = 8, nonce = 0n } = options
  const model = options.model ?? addOneModel()
  const jobSalt: Hex = `0x${"5a".repeat(32)}`
  const sha = (bytes: Uint8Array): Hex => `0x${createHash("sha256").update(bytes).digest("hex")}`
  const inputs = options.inputs ?? ((i: number) => [{ name: "x", tensor: inputOf(i) }])
  const bundles = Array.from({ length: shardCount({ tasks, shardSize }) }, (_, shard) => {
    const { first, count } = shardTasks({ tasks, shardSize }, shard)
    const entries = Array.from({ length: count }, (_, i) => first + i).flatMap((i) =>
      inputs(i).map(({ name, tensor }) => ({ name: bundleName(i, name), tensor })),
    )
    return encodeBundle(entries)
  })
  const built: Spec = {
    version: 0,
    title: "add one",
    model: {
      sha256: sha(model),
      bytes: model.byteLength,
      inputs: [{ name: "x", dtype: "float32", dims: DIMS }],
      outputs: [{ name: "y", dtype: "float32", dims: DIMS }],
      digestTensors: [],
    },
    capability: { profile: "exact-cpu-1", memoryGiB: 2 },
    shards: bundles.map((bundle) => ({ inputs: sha(bundle), bytes: bundle.byteLength })),
  }
  const spec = options.spec?.(built) ?? built
  const commitments = Array.from({ length: tasks }, (_, i) => inputCommitment(taskSalt(jobSalt, i), [inputOf(i)]))
  const base = {
    version: TERMS_VERSION,
    kind: 0,
    requester: requester.address,
    coordinator: service.coordinator.address.toLowerCase() as Hex,
    class: 0,
    capability: CAPABILITY,
    // Of a model that is no program there is none to state; the coordinator finds that out first.
    programRoot: options.model ? zeroHash : compileProgram(model).root,
    inputs: inputsRoot(commitments),
    tasks,
    shardSize,
    fee: 10n,
    maxUnits: 1,
    auditRate: 500,
    auditRatio: 10_000,
    auditBase: 1n,
    auditBudget: 0n,
    coordinatorFee: 1n,
    valueAtRisk: 0n,
    deadline: BigInt(service.clock.time + 3_600),
    specHash: specHash(spec),
  } satisfies Terms
  const terms: Terms = { ...base, auditBudget: minAuditBudget({ ...base, ...options.terms }), ...options.terms }
  const { expected } = options
  const submission: JobSubmission = { terms, nonce, spec, jobSalt, ...(expected ? { expected } : {}) }
  return { submission, files: [model, ...bundles] }
}

export async function uploadAll(service: Service, requester: Account, files: readonly Uint8Array[]): Promise<void> {
  for (const file of files) await service.upload(requester, file)
}

export function submit(service: Service, requester: Account, submission: JobSubmission) {
  return service.send("POST", "/v1/jobs", { by: requester, json: z.encode(JobSubmissionSchema, submission) })
}

/** Uploads, submits, and opens a job as the follower does when it sees JobPosted. */
export async function openJob(service: Service, requester: Account, options: JobOptions = {}) {
  const { submission, files } = buildSubmission(service, requester, options)
  await uploadAll(service, requester, files)
  const { status, body } = await submit(service, requester, submission)
  if (status !== 200) throw new Error(`submission: ${JSON.stringify(body)}`)
  const jobId = BigInt(body.jobId)
  await service.db.update(jobs).set({ state: "open" }).where(eq(jobs.jobId, jobId))
  await service.feeder.feed()
  return { jobId, submission }
}

/** A worker that has said hello and has collateral. */
export async function readyWorker(service: Service, free = 10n ** 9n): Promise<Account> {
  const worker = service.account()
  service.pairs.set(worker.address, { free, owed: 0n, noticeAt: 0, flags: 0 })
  const { status, body } = await service.send("POST", "/v1/workers/hello", { by: worker, json: helloOf(worker) })
  if (status !== 200) throw new Error(`hello: ${JSON.stringify(body)}`)
  return worker
}

export function helloOf(worker: Account) {
  return {
    version: "test",
    sessionKey: worker.session.address.toLowerCase(),
    profiles: [{ profile: "exact-cpu-1", memoryGiB: 2, selfTest: "ok" }],
    threads: 1,
    device: "cpu",
    verifyOnly: false,
  }
}

export function askLease(service: Service, worker: Account, { wait = 0 } = {}) {
  return service.send("POST", "/v1/leases", { by: worker, json: { wait, capability: CAPABILITY, cachedModels: [] } })
}

export async function takeLease(service: Service, worker: Account) {
  const { status, body } = await askLease(service, worker, { wait: 5 })
  if (status !== 200) throw new Error(`no lease: ${status} ${JSON.stringify(body)}`)
  return LeaseBundleSchema.parse(body)
}

export type Work = {
  leaves: WireLeaf[]
  outputs: Uint8Array
}

/** Does the work of a lease honestly; `outputs` changes what the worker claims to have found. */
export function compute(bundle: z.output<typeof LeaseBundleSchema>, outputs = outputOf): Work {
  const { firstTask, count, salts, inputCommitments } = bundle
  const leaves = Array.from({ length: count }, (_, i) => {
    const taskIndex = firstTask + i
    const digest = digestPart(salts[i]!, [])
    const part = outputPart(salts[i]!, [outputs(taskIndex)])
    const outputCommitment = joinOutput(part, digest)
    return { taskIndex, units: 1, inputCommitment: inputCommitments[i]!, outputCommitment, digestPart: digest }
  })
  const entries = leaves.map(({ taskIndex }) => ({ name: bundleName(taskIndex, "y"), tensor: outputs(taskIndex) }))
  return { leaves, outputs: encodeBundle(entries) }
}

export async function signReceipt(
  service: Service,
  worker: Account,
  bundle: z.output<typeof LeaseBundleSchema>,
  { leaves, leaseHash }: { leaves: readonly WireLeaf[]; leaseHash: Hex },
) {
  const { terms, lease } = bundle
  const { root } = buildShardTree({
    jobId: lease.jobId,
    shardSize: terms.shardSize,
    leaves: leaves.map((leaf) => ({ ...leaf, worker: worker.address })),
  })
  const receipt = { leaseHash, shardRoot: root.hash, units: root.units }
  const signature = await signMessage(worker.session, { domain: service.domain, type: "Receipt", message: receipt })
  return { receipt, signature }
}
