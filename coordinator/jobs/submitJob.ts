import { and, count, eq, gt, inArray } from "drizzle-orm"
import type { Logger } from "pino"
import type { Address, Hex } from "viem"
import type { Deployment } from "#protocol"
import {
  encodeSpec,
  escrow,
  formatAmount,
  formatCount,
  formatJobId,
  type JobSubmission,
  jobIdOf,
  shardCount,
  termsHash,
} from "#protocol"
import { grantAccess, publish, registerArtifact } from "../artifacts/access.ts"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import type { Limits, Policy } from "../config.ts"
import { refuse } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { Db } from "../store/database.ts"
import { artifactAcl, artifacts as artifactRows, jobs, shards } from "../store/schema.ts"
import { recordEvents } from "../why/recordEvents.ts"
import type { ChainView } from "../workers/chainView.ts"
import { checkModel } from "./checkModel.ts"
import { checkSubmission } from "./checkSubmission.ts"
import type { InspectModelFile } from "./inspectModelFile.ts"
import { encodeSpecJson, encodeTerms, inputsOf } from "./jobRow.ts"

export type SubmitJobDeps = {
  db: Db
  artifacts: ArtifactStore
  hasher: Pick<Hasher, "checkInputs">
  inspect: InspectModelFile
  view: Pick<ChainView, "termsHashOf" | "balanceOf">
  deployment: Deployment
  coordinator: Address
  policy: Policy
  limits: Limits
  now: () => number
  /** Applies the chain's events of a job that was posted before it was submitted. */
  reapplyJob: (jobId: bigint) => Promise<void>
  log: Logger
}

/**
 * Takes a job before its escrow is posted: what is wrong with it is said now, while nothing is lost. Sending the same
 * submission again changes nothing, and catches up with a posting that the follower saw first.
 */
export async function submitJob(
  deps: SubmitJobDeps,
  account: Address,
  submission: JobSubmission,
): Promise<{ jobId: bigint }> {
  const { db, deployment, coordinator, policy, limits, now, log } = deps
  const { terms, spec, nonce, jobSalt } = submission
  checkSubmission({ submission, account, coordinator, params: deployment.params, policy, limits, now: now() })
  const jobId = jobIdOf({
    chainId: deployment.chainId,
    market: deployment.contracts.market,
    requester: terms.requester,
    nonce,
  })
  const hash = termsHash(terms)
  const [known] = await db
    .select({ termsHash: jobs.termsHash, jobSalt: jobs.jobSalt, state: jobs.state })
    .from(jobs)
    .where(eq(jobs.jobId, jobId))
  if (known) {
    if (known.termsHash !== hash || known.jobSalt !== jobSalt) {
      throw refuse("E_JOB_EXISTS", `nonce ${nonce} is taken by another job of this account: use the next one`)
    }
  } else {
    await checkUnposted(deps, account)
    await checkBalance(deps, submission)
    await checkArtifacts(deps, account, submission)
    checkModel(
      submission,
      await deps.inspect({ path: await deps.artifacts.file(spec.model.sha256), sha256: spec.model.sha256 }),
    )
    const { root, tree } = await deps.hasher.checkInputs({
      jobSalt,
      tasks: terms.tasks,
      shardSize: terms.shardSize,
      ports: spec.model.inputs,
      bundles: await Promise.all(
        spec.shards.map(async ({ inputs, bytes }) => ({
          sha256: inputs,
          path: await deps.artifacts.file(inputs),
          bytes,
        })),
      ),
    })
    if (root !== terms.inputs) {
      throw refuse("E_JOB_INPUTS_ROOT", "terms.inputs does not follow from the uploaded inputs and the job salt", {
        root,
      })
    }
    await storeJob(deps, { jobId, hash, submission, tree })
    log.info({ jobId: formatJobId(jobId), requester: account, tasks: terms.tasks }, "job submitted")
  }
  // One that is open already needs nothing; one that the follower met before it was here does.
  if (known?.state !== "open" && (await deps.view.termsHashOf(jobId)) === hash) {
    await deps.reapplyJob(jobId)
  }
  return { jobId }
}

/** Storing costs disk and hashing, so an account that never posts comes to an end. */
async function checkUnposted({ db, policy, now }: SubmitJobDeps, account: Address): Promise<void> {
  const [row] = await db
    .select({ jobs: count() })
    .from(jobs)
    .where(and(eq(jobs.requester, account), eq(jobs.state, "submitted"), gt(jobs.deadline, now())))
  if ((row?.jobs ?? 0) >= policy.unpostedJobsPerAccount) {
    const message = `${row?.jobs} jobs of this account were submitted and never posted: post them first`
    throw refuse("E_QUOTA", message, { limit: policy.unpostedJobsPerAccount })
  }
}

async function checkBalance({ view }: SubmitJobDeps, { terms }: JobSubmission): Promise<void> {
  const [balance, needed] = [await view.balanceOf(terms.requester), escrow(terms)]
  if (balance < needed) {
    const message = `the escrow is ${formatAmount(needed)} and the account has ${formatAmount(balance)}`
    throw refuse("E_JOB_BALANCE", message, { balance: balance.toString(), escrow: needed.toString() })
  }
}

/** Every artifact is here, has the size that the spec says, and is the requester's to show to workers. */
async function checkArtifacts(
  { db, artifacts }: SubmitJobDeps,
  account: Address,
  { spec, expected }: JobSubmission,
): Promise<void> {
  const wanted = new Map<Hex, number>([[spec.model.sha256, spec.model.bytes]])
  for (const { inputs, bytes } of spec.shards) wanted.set(inputs, bytes)
  const names = [...wanted.keys(), ...(expected ? [expected] : [])]
  const readable = new Set<Hex>()
  for (let at = 0; at < names.length; at += 1_000) {
    const some = names.slice(at, at + 1_000)
    const rows = await db
      .select({ sha256: artifactRows.sha256, public: artifactRows.public, account: artifactAcl.account })
      .from(artifactRows)
      .leftJoin(artifactAcl, and(eq(artifactAcl.sha256, artifactRows.sha256), eq(artifactAcl.account, account)))
      .where(inArray(artifactRows.sha256, some))
    // *Another's inputs, named by their hash, leased to a friend.* Only who may read an artifact may build on it.
    for (const row of rows) if (row.public || row.account !== null) readable.add(row.sha256)
  }
  const missing = names.filter((name) => !readable.has(name))
  if (missing.length > 0) {
    const message = `${missing.length} artifacts of the job are not here: upload them first`
    throw refuse("E_ARTIFACT_UNKNOWN", message, { missing: missing.slice(0, 64) })
  }
  for (const [sha256, bytes] of wanted) {
    const size = await artifacts.size(sha256)
    if (size === undefined)
      throw refuse("E_ARTIFACT_UNKNOWN", `the artifact ${sha256} is not here: upload it first`, { missing: [sha256] })
    if (size !== bytes) throw refuse("E_JOB_INPUTS", `the artifact ${sha256} has ${size} bytes, the spec says ${bytes}`)
  }
}

type StoreJobParams = { jobId: bigint; hash: Hex; submission: JobSubmission; tree: Uint8Array }

async function storeJob(deps: SubmitJobDeps, { jobId, hash, submission, tree }: StoreJobParams): Promise<void> {
  const { db, artifacts } = deps
  const { terms, spec, nonce, jobSalt, expected } = submission
  const inputTree = await artifacts.putBytes(tree)
  const specBytes = encodeSpec(spec)
  const specArtifact = await artifacts.putBytes(specBytes)
  await db.transaction(async (tx) => {
    await registerArtifact(tx, { sha256: specArtifact, bytes: specBytes.byteLength, uploader: terms.requester })
    const inserted = await tx
      .insert(jobs)
      .values({
        jobId,
        state: "submitted",
        requester: terms.requester,
        nonce,
        terms: encodeTerms(terms),
        termsHash: hash,
        spec: encodeSpecJson(spec),
        jobSalt,
        capability: terms.capability,
        model: spec.model.sha256,
        tasks: terms.tasks,
        shardSize: terms.shardSize,
        shards: shardCount(terms),
        fee: terms.fee,
        maxUnits: terms.maxUnits,
        deadline: Number(terms.deadline),
        inputTree,
        expected: expected ?? null,
      })
      .onConflictDoNothing()
      .returning({ jobId: jobs.jobId })
    // The same submission sent twice at once: the other one has stored it.
    if (inserted.length === 0) return
    for (let first = 0; first < spec.shards.length; first += 1_000) {
      await tx.insert(shards).values(
        spec.shards.slice(first, first + 1_000).map(({ inputs }, i) => ({
          jobId,
          shard: first + i,
          state: "queued" as const,
          inputs,
        })),
      )
    }
    const own = [...new Set([spec.model.sha256, ...inputsOf(spec), ...(expected ? [expected] : [])])]
    for (let at = 0; at < own.length; at += 1_000) {
      const some = own.slice(at, at + 1_000)
      await grantAccess(
        tx,
        some.map((sha256) => ({ sha256, account: terms.requester, reason: "requester" as const })),
      )
    }
    if (spec.public) await publish(tx, inputsOf(spec))
    await recordEvents(tx, [
      {
        code: "JOB_SUBMITTED",
        text: `submitted: ${formatCount(terms.tasks, "task")} in ${formatCount(shardCount(terms), "shard")}`,
        jobId,
      },
    ])
  })
}
