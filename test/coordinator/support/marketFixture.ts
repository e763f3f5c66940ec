import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { and, eq } from "drizzle-orm"
import { pino } from "pino"
import type { Address, Hex, LocalAccount } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { bundleName, encodeBundle } from "#engine/tensor/bundle.ts"
import {
  type AuditBundle,
  buildInputTree,
  buildShardTree,
  capabilityOf,
  digestPart,
  encodeSpec,
  inputCommitment,
  jobIdOf,
  juryAbi,
  keyedDigest,
  type Lease,
  leaseHash,
  marketAbi,
  minAuditBudget,
  outputCommitment,
  registryAbi,
  registryDomain,
  type SignedVerdict,
  type Spec,
  shardCount,
  shardTasks,
  signMessage,
  specHash,
  type TaskResult,
  type Tensor,
  type Terms,
  taskSalt,
  termsHash,
  voteHash,
  type WireLeaf,
} from "#protocol"
import { openArtifactStore } from "../../../coordinator/artifacts/artifactStore.ts"
import { nextAudit } from "../../../coordinator/audits/nextAudit.ts"
import { storeVerdicts } from "../../../coordinator/audits/storeVerdicts.ts"
import { openChain } from "../../../coordinator/chain/client.ts"
import { ensureSessionKey } from "../../../coordinator/chain/sessionKey.ts"
import { createWake } from "../../../coordinator/chain/wake.ts"
import { createChainServices } from "../../../coordinator/chainServices.ts"
import { disputeBundle } from "../../../coordinator/challenges/disputeBundle.ts"
import { encodeInputTree } from "../../../coordinator/jobs/inputTree.ts"
import { createJobContexts } from "../../../coordinator/jobs/jobContexts.ts"
import { encodeSpecJson, encodeTerms } from "../../../coordinator/jobs/jobRow.ts"
import { openDatabase } from "../../../coordinator/store/database.ts"
import { disputes, jobs, leases, receipts, shards } from "../../../coordinator/store/schema.ts"
import { type LocalChain, openLocalChain } from "./localChain.ts"

type Account = LocalAccount & { sign: NonNullable<LocalAccount["sign"]> }
export type Party = { account: Account; key: Account; address: Address }

const CAPABILITY = capabilityOf("exact-cpu-1", 2)
const UNIT = 10n ** 15n

const float = (value: number): Tensor => ({
  dtype: "float32",
  dims: [1],
  data: new Uint8Array(Float32Array.of(value).buffer),
})

/** The model of these tests: it doubles its input. */
const inputOf = (taskIndex: number): Tensor => float(taskIndex + 1)
export const honest = (taskIndex: number): Tensor => float(2 * (taskIndex + 1))
export const wrong = (taskIndex: number): Tensor => float(-1 - taskIndex)

/** What a job of these tests runs: a file that nobody opens, unless a test says otherwise. */
export type Work = {
  readonly version: 0 | 1
  readonly programRoot: Hex
  readonly model: Uint8Array
  readonly inputOf: (taskIndex: number) => Tensor
}
const DOUBLING: Work = {
  version: 0,
  programRoot: `0x${"01".repeat(32)}`,
  model: Buffer.from("the doubling model"),
  inputOf,
}

/** A result without a work digest is its one output. */
type Model = (taskIndex: number) => Tensor | TaskResult
const resultOf = (model: Model, taskIndex: number): TaskResult => {
  const result = model(taskIndex)
  return "outputs" in result ? result : { outputs: [result], digests: [] }
}

export type PostedJob = { jobId: bigint; terms: Terms; jobSalt: Hex; requester: Party; work: Work }

/** A real chain with a deployment, a coordinator's chain half on a database of its own, and parties with keys. */
export async function openMarket(changes: Parameters<typeof openLocalChain>[0] = {}) {
  const local = await openLocalChain(changes)
  const folder = await mkdtemp(join(tmpdir(), "assay-market-"))
  const database = await openDatabase({})
  const { db } = database
  const { deployment } = local
  const { contracts } = deployment
  const coordinator = await party(local)
  const chain = await openChain({ deployment, account: coordinator.account })
  const artifacts = await openArtifactStore({ dir: folder, minFreeBytes: 0 })
  const contexts = createJobContexts({ db, artifacts })
  const log = pino({ level: process.env.ASSAY_TEST_LOG ?? "silent" })
  const wake = createWake()
  let nonce = 0n

  const start = (holder: string) =>
    createChainServices(
      { db, chain, artifacts, wake, log },
      { holder, sessionKey: coordinator.key, batchMaxShards: 64, batchMaxAgeSeconds: 0 },
    )
  let services = start("one")

  /** Stakes, allows collateral and registers a session key, as a worker does by itself. */
  async function worker(seats = 2): Promise<Party> {
    const one = await party(local)
    const registry = { to: contracts.registry, abi: registryAbi }
    await local.send(one.account, { ...registry, name: "stake", args: [CAPABILITY, seats] })
    await local.send(one.account, { ...registry, name: "allow", args: [coordinator.address, 10n ** 19n] })
    await registerKey(one)
    return one
  }

  async function registerKey(one: Party): Promise<void> {
    const domain = registryDomain({ chainId: deployment.chainId, registry: contracts.registry })
    const message = { account: one.address, key: one.key.address }
    const signature = await signMessage(one.key, { domain, type: "RegisterKey", message })
    const args = [one.key.address, signature]
    await local.send(one.account, { to: contracts.registry, abi: registryAbi, name: "registerKey", args })
  }

  async function postJob(
    given: Partial<Pick<Terms, "tasks" | "shardSize" | "auditRate">> = {},
    work: Work = DOUBLING,
  ): Promise<PostedJob> {
    const { inputOf } = work
    const requester = await party(local)
    const { tasks, shardSize, auditRate } = { tasks: 16, shardSize: 4, auditRate: 5_000, ...given }
    const jobSalt = generatePrivateKey()
    const commitments = Array.from({ length: tasks }, (_, i) => inputCommitment(taskSalt(jobSalt, i), [inputOf(i)]))
    const bundles = await Promise.all(
      Array.from({ length: Math.ceil(tasks / shardSize) }, async (_, shard) => {
        const { first, count } = shardTasks({ tasks, shardSize }, shard)
        const bytes = encodeBundle(
          Array.from({ length: count }, (_, i) => ({ name: bundleName(first + i, "x"), tensor: inputOf(first + i) })),
        )
        return { inputs: await artifacts.putBytes(bytes), bytes: bytes.length }
      }),
    )
    const port = (name: string) => ({ name, dtype: "float32" as const, dims: [1] })
    const model = await artifacts.putBytes(work.model)
    const spec: Spec = {
      version: 0,
      model: { sha256: model, bytes: work.model.length, inputs: [port("x")], outputs: [port("y")], digestTensors: [] },
      capability: { profile: "exact-cpu-1", memoryGiB: 2 },
      shards: bundles,
    }
    const draft: Terms = {
      version: work.version,
      kind: 0,
      requester: requester.address,
      coordinator: coordinator.address,
      class: 0,
      capability: CAPABILITY,
      programRoot: work.programRoot,
      inputs: buildInputTree(commitments).root,
      tasks,
      shardSize,
      fee: UNIT,
      maxUnits: 1,
      auditRate,
      auditRatio: 10_000,
      auditBase: UNIT,
      auditBudget: 0n,
      coordinatorFee: UNIT / 100n,
      valueAtRisk: 0n,
      deadline: BigInt((await local.now()) + 3_600),
      specHash: specHash(spec),
    }
    const terms = { ...draft, auditBudget: minAuditBudget(draft) }
    const jobId = jobIdOf({
      chainId: deployment.chainId,
      market: contracts.market,
      requester: requester.address,
      nonce,
    })
    await artifacts.putBytes(encodeSpec(spec))
    await db.insert(jobs).values({
      jobId,
      state: "submitted",
      requester: requester.address,
      nonce,
      terms: encodeTerms(terms),
      termsHash: termsHash(terms),
      spec: encodeSpecJson(spec),
      jobSalt,
      capability: CAPABILITY,
      model,
      tasks,
      shardSize,
      shards: shardCount(terms),
      fee: terms.fee,
      maxUnits: 1,
      deadline: Number(terms.deadline),
      inputTree: await artifacts.putBytes(encodeInputTree(commitments).bytes),
    })
    await db
      .insert(shards)
      .values(bundles.map(({ inputs }, shard) => ({ jobId, shard, state: "queued" as const, inputs })))
    const args = [terms, nonce++]
    await local.send(requester.account, { to: contracts.market, abi: marketAbi, name: "post", args })
    await services.follower.step()
    return { jobId, terms, jobSalt, requester, work }
  }

  /** A lease, and the receipt that its worker gives for it. */
  async function compute(job: PostedJob, shard: number, by: Party, model: Model = honest) {
    const { jobId, terms, jobSalt, work } = job
    const start = await local.now()
    const lease: Lease = {
      jobId,
      shard,
      worker: by.address,
      start: BigInt(start),
      expiry: BigInt(start + PARAMS_LEASE),
    }
    const hash = leaseHash(lease)
    const { domain } = chain
    const signature = await signMessage(coordinator.key, { domain, type: "Lease", message: lease })
    const { first, count } = shardTasks(terms, shard)
    const leaves: WireLeaf[] = Array.from({ length: count }, (_, i) => {
      const taskIndex = first + i
      const salt = taskSalt(jobSalt, taskIndex)
      const result = resultOf(model, taskIndex)
      return {
        taskIndex,
        units: 1,
        inputCommitment: inputCommitment(salt, [work.inputOf(taskIndex)]),
        outputCommitment: outputCommitment(salt, result),
        digestPart: digestPart(salt, result.digests),
      }
    })
    const { root } = buildShardTree({
      jobId,
      shardSize: terms.shardSize,
      leaves: leaves.map((leaf) => ({ ...leaf, worker: by.address })),
    })
    const receipt = { leaseHash: hash, shardRoot: root.hash, units: root.units }
    const receiptSignature = await signMessage(by.key, { domain, type: "Receipt", message: receipt })
    await db.insert(leases).values({
      leaseHash: hash,
      jobId,
      shard,
      worker: by.address,
      startAt: start,
      expiry: start + PARAMS_LEASE,
      endAt: start,
      signature,
      state: "received",
      collateral: 0n,
    })
    await db.insert(receipts).values({
      leaseHash: hash,
      jobId,
      shard,
      worker: by.address,
      shardRoot: root.hash,
      units: Number(root.units),
      signature: receiptSignature,
      outputs: `0x${"00".repeat(32)}`,
      leaves,
    })
    await db
      .update(shards)
      .set({
        state: "received",
        leaseHash: hash,
        worker: by.address,
        units: Number(root.units),
        receivedAt: new Date(),
      })
      .where(and(eq(shards.jobId, jobId), eq(shards.shard, shard)))
  }

  async function verdictsFor(bundle: AuditBundle, by: Party, model: Model = honest): Promise<SignedVerdict[]> {
    return Promise.all(
      bundle.samples.map(async ({ sample, position, taskIndex, salt }) => {
        const result = resultOf(model, taskIndex)
        const verdict = {
          batchId: bundle.batchId,
          sample,
          position,
          verifier: by.address,
          units: 1,
          outputCommitment: outputCommitment(salt, result),
          keyedDigest: keyedDigest(salt, result, { verifier: by.address, batchId: bundle.batchId, position }),
        }
        const signature = await signMessage(by.key, { domain: chain.domain, type: "Verdict", message: verdict })
        return { verdict, signature }
      }),
    )
  }

  /** Takes what is to be audited and answers it. */
  async function audit(by: Party, model: Model = honest): Promise<number> {
    const bundle = await nextAudit({ db, chain, artifacts, contexts }, { account: by.address })
    if (!bundle) return 0
    const signed = await verdictsFor(bundle, by, model)
    const { stored, refused } = await storeVerdicts(
      { db, chain, wake },
      { account: by.address, batchId: bundle.batchId, signed },
    )
    if (refused.length > 0) throw new Error(`verdicts refused: ${JSON.stringify(refused)}`)
    return stored
  }

  /**
   * Votes as a juror in every open dispute, with the answer that the model gives. What a juror may do is the chain's to
   * say: the coordinator's rows lag behind it, and on a slow machine a phase ends in between.
   */
  async function vote(by: Party, model = honest): Promise<void> {
    const jury = { to: contracts.jury, abi: juryAbi }
    for (const { disputeId, jurors } of await db.select().from(disputes).where(eq(disputes.state, "open"))) {
      const juror = jurors?.find(({ account }) => account === by.address)
      if (!juror) continue
      const bundle = await disputeBundle({ db, chain, artifacts, contexts }, { disputeId, account: by.address })
      const output = outputCommitment(bundle.salt, { outputs: [model(bundle.taskIndex)], digests: [] })
      const salt: Hex = `0x${"07".repeat(32)}`
      const [, { phase }] = await chain.client.readContract({
        address: contracts.jury,
        abi: juryAbi,
        functionName: "disputeOf",
        args: [disputeId],
      })
      if (phase === JURY_COMMIT && !juror.committed) {
        const sealed = voteHash({ disputeId, juror: by.address, outputCommitment: output, salt })
        await local.send(by.account, { ...jury, name: "commitVote", args: [disputeId, sealed] })
      } else if (phase === JURY_REVEAL && !juror.revealed) {
        await local.send(by.account, { ...jury, name: "revealVote", args: [disputeId, output, salt] })
      }
    }
  }

  /** One round of every service, and a block a second. */
  async function round(): Promise<void> {
    const { follower, outbox, batcher, auditor, attester, finalizer, accuser, juryClerk, responder } = services
    const { reauditor, caller, leaseDefender } = services
    const second = [reauditor, caller, leaseDefender]
    const judging = [finalizer, accuser, juryClerk, responder]
    for (const service of [follower, batcher, auditor, attester, ...second, ...judging, outbox]) {
      while ((await service.step()) === true) {
        // A follower goes on until it has reached the head.
      }
    }
    await local.warp(1)
  }

  /** Rounds until the condition holds. */
  async function until(what: string, holds: () => Promise<boolean>, also: () => Promise<unknown> = async () => {}) {
    for (let i = 0; i < 120; i++) {
      if (await holds()) return
      await round()
      await also()
    }
    throw new Error(`it never came to this: ${what}`)
  }

  await ensureSessionKey({ db, chain, outbox: services.outbox, wake }, coordinator.key)
  await services.outbox.step()

  return {
    local,
    chain,
    db,
    artifacts,
    contexts,
    coordinator,
    wake,
    get services() {
      return services
    },
    /** Another process takes over with nothing but database and chain. */
    restart() {
      services = start(`after ${Date.now()}`)
    },
    worker,
    postJob,
    compute,
    verdictsFor,
    audit,
    vote,
    round,
    until,
    async pairOf(account: Address) {
      const [free, owed] = await chain.client.readContract({
        address: contracts.registry,
        abi: registryAbi,
        functionName: "pairOf",
        args: [account, coordinator.address],
      })
      return { free, owed }
    },
    async close() {
      await database.close()
      await local.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const PARAMS_LEASE = 60
/** IJury.Phase */
const JURY_COMMIT = 2
const JURY_REVEAL = 3

async function party(local: LocalChain): Promise<Party> {
  const account = (await local.fund()) as Account
  const key = privateKeyToAccount(generatePrivateKey())
  return { account, key, address: account.address.toLowerCase() as Address }
}

export type Market = Awaited<ReturnType<typeof openMarket>>
