import type { Hex, LocalAccount, PublicClient } from "viem"
import { batchLayout, type Deployment, formatJobId, JobViewSchema, parseRanges, type Terms } from "#protocol"
import { eventsNamed, type History, readHistory } from "../chain/readHistory.ts"
import { clientError } from "../errors.ts"
import type { Coordinator } from "../http/coordinator.ts"
import { deriveJobSalt } from "../jobs/jobSalt.ts"
import { readConservation } from "../payouts/conservation.ts"
import { type BatchRecord, readBatches } from "../payouts/ledger.ts"
import { type Check, check, notDone } from "./check.ts"
import { checkBatchData } from "./checkBatchData.ts"
import { checkDraw } from "./checkDraw.ts"
import { checkStory } from "./checkStory.ts"
import { checkTerms } from "./checkTerms.ts"
import { checkVerdicts } from "./checkVerdicts.ts"
import { fetchBatchData } from "./fetchBatchData.ts"
import { type Rerun, rerunSamples } from "./rerunSamples.ts"

export type VerifyJobDeps = {
  chain: PublicClient
  coordinator: Coordinator
  deployment: Deployment
  /** The requester's, for what needs inputs and salts; anybody else's does for the rest. */
  account: LocalAccount | undefined
}
export type VerifyJobParams = { jobId: bigint; rerun?: boolean; signal?: AbortSignal }
export type VerifyJobResult = { readonly ok: boolean; readonly checks: readonly Check[] }

/**
 * Trusts nobody: from the chain and from artifacts whose hashes the chain holds it derives again what should have
 * happened. `ok` when nothing is wrong; what could not be done is listed with what it needs.
 */
export async function verifyJob(deps: VerifyJobDeps, params: VerifyJobParams): Promise<VerifyJobResult> {
  const { chain, coordinator, deployment } = deps
  const { jobId, signal } = params
  const history = await readHistory(chain, deployment)
  const posted = eventsNamed(history, "JobPosted").find(({ args }) => args.jobId === jobId)
  if (!posted) throw clientError("E_JOB_UNKNOWN", `no job ${formatJobId(jobId)} was ever posted on this chain`)
  const terms = posted.args.terms as Terms
  const { spec } = await coordinator.get(`/v1/jobs/${formatJobId(jobId)}`, JobViewSchema, { signal })
  const checks = await checkTerms({ chain, coordinator, deployment }, { jobId, terms, spec, signal })

  const reruns: Rerun[] = []
  for (const record of readBatches(history).values()) {
    if (record.batch.jobId !== jobId) continue
    const { batchChecks, rerun } = await verifyBatch(deps, history, record, signal)
    checks.push(...batchChecks)
    if (rerun) reruns.push(rerun)
  }
  checks.push(await moneyCheck(deps, history))
  checks.push(...(await rerunChecks(deps, { params, terms, nonce: posted.args.nonce, spec, reruns })))
  return { ok: checks.every(({ ok }) => ok !== false), checks }
}

async function verifyBatch(
  { chain, coordinator, deployment }: VerifyJobDeps,
  history: History,
  record: BatchRecord,
  signal: AbortSignal | undefined,
): Promise<{ batchChecks: Check[]; rerun: Rerun | undefined }> {
  const { batchId, batch, terms, attestation } = record
  const name = `batch ${batch.number}`
  const nothing = (text: string) => ({ batchChecks: [notDone(name, text)], rerun: undefined })
  const ended = (event: "BatchWithdrawn" | "BatchForfeited") =>
    eventsNamed(history, event).some(({ args }) => args.batchId === batchId)
  if (ended("BatchWithdrawn")) return nothing("withdrawn by its committer before its seed; nothing of it was paid")
  if (ended("BatchForfeited")) return nothing("forfeited; nothing of it was paid")
  if (!attestation) return nothing("it is not attested yet, so its leaves are not published")

  const committed = eventsNamed(history, "BatchCommitted").find(({ args }) => args.batchId === batchId)!
  const { url, dataHash } = committed.args
  const data = await fetchBatchData(coordinator, { url, batchId, signal })
  const mask = parseRanges(batch.ranges).reduce((all, range) => all | range.mask, 0n)
  const layout = batchLayout({ plan: terms, firstShard: batch.firstShard, mask })
  const final = eventsNamed(history, "BatchFinalized").find(({ args }) => args.batchId === batchId)
  const voided = final?.args.voidedRanges ?? 0n
  const shared = { name, batch, layout, data }
  return {
    batchChecks: [
      ...(await checkBatchData({ chain, deployment }, { ...shared, coordinator: terms.coordinator, dataHash })),
      ...(await checkDraw({ chain, deployment }, { ...shared, terms, attestation })),
      checkVerdicts({ ...shared, voided, final: final !== undefined }),
      ...(await checkStory({ chain, deployment, history }, name, record)),
    ],
    rerun: { ...shared, voided },
  }
}

async function moneyCheck({ chain, deployment }: VerifyJobDeps, history: History): Promise<Check> {
  const { balance, expected, conserved } = await readConservation(chain, deployment, history)
  return check(
    "conservation",
    conserved,
    `the Registry holds ${balance}; what went in less what came out is ${expected}`,
  )
}

type RerunChecksParams = {
  params: VerifyJobParams
  terms: Terms
  nonce: bigint
  spec: Parameters<typeof rerunSamples>[1]["spec"]
  reruns: readonly Rerun[]
}

async function rerunChecks(
  deps: VerifyJobDeps,
  { params, terms, nonce, spec, reruns }: RerunChecksParams,
): Promise<Check[]> {
  const { account, deployment, coordinator } = deps
  if (!params.rerun) return [notDone("rerun", "give --rerun to compute the sampled tasks again")]
  if (!account || account.address.toLowerCase() !== terms.requester.toLowerCase()) {
    return [notDone("rerun", `inputs and salts are the requester's (${terms.requester}): run it with that key`)]
  }
  const jobSalt: Hex = await deriveJobSalt(account, deployment, nonce)
  return rerunSamples({ coordinator }, { spec, jobSalt, batches: reruns, signal: params.signal })
}
