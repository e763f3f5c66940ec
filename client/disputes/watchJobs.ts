import { setTimeout as sleep } from "node:timers/promises"
import { isAddressEqual } from "viem"
import { challengesAbi, formatBatchId, formatJobId, isCodedError, JobViewSchema, positionOf } from "#protocol"
import { type History, readHistory } from "../chain/readHistory.ts"
import { revertedWith, sendCall } from "../chain/sendCall.ts"
import type { BatchRecord } from "../payouts/ledger.ts"
import { fetchBatchData } from "../verify/fetchBatchData.ts"
import type { DisputeResult } from "./disputeLeaf.ts"
import { type DisputeTaskDeps, disputeIn, layoutOf, openBatches, sourceOf } from "./disputeTask.ts"
import { openTasks } from "./openTasks.ts"

export type WatchParams = {
  /** Share of leaves to compute again, 0 to 1. */
  readonly rate: number
  /** One look at what is open now. */
  readonly once?: boolean
  /** In [0, 1): which leaves are looked at. Nobody must be able to foretell it. */
  readonly random?: () => number
  readonly signal?: AbortSignal
  readonly onEvent?: (event: WatchEvent) => void
}

export type WatchEvent =
  | { readonly kind: "batch"; readonly batchId: bigint; readonly leaves: number; readonly sampled: number }
  | { readonly kind: "checked"; readonly batchId: bigint; readonly taskIndex: number; readonly result: DisputeResult }
  /** The leaves are not served: one is asked for on chain, and comes or costs the coordinator its bond (R26). */
  | { readonly kind: "demanded"; readonly batchId: bigint; readonly position: number; readonly why: string }
  | { readonly kind: "failed"; readonly batchId: bigint; readonly code: string; readonly text: string }

export type Watched = { readonly batches: number; readonly checked: number; readonly wrong: readonly DisputeResult[] }

const POLL_MS = 2_000
const LEAF = 0

/**
 * A watchtower: computes again what it samples for itself, in every open batch of its own jobs and of public ones. Of
 * another's job that it refutes, the contract gives it a bounty (R12).
 */
export async function watchJobs(deps: DisputeTaskDeps, params: WatchParams): Promise<Watched> {
  const { once = false, signal } = params
  const seen = new Set<bigint>()
  const wrong: DisputeResult[] = []
  let checked = 0
  for (;;) {
    const history = await readHistory(deps.chain, deps.deployment)
    for (const record of openBatches(history)) {
      if (seen.has(record.batchId) || !(await hasAccess(deps, record, signal))) continue
      seen.add(record.batchId)
      const results = await watchBatch(deps, params, history, record)
      checked += results.length
      wrong.push(...results.filter(({ outcome }) => outcome !== "agrees"))
    }
    if (once || signal?.aborted) return { batches: seen.size, checked, wrong }
    await sleep(POLL_MS, undefined, { signal }).catch((error: unknown) => {
      if (!signal?.aborted) throw error
    })
  }
}

async function hasAccess(
  { account, coordinator }: DisputeTaskDeps,
  { terms, batch }: BatchRecord,
  signal?: AbortSignal,
): Promise<boolean> {
  if (terms.version !== 1) return false
  if (isAddressEqual(terms.requester, account.address)) return true
  try {
    const { spec } = await coordinator.get(`/v1/jobs/${formatJobId(batch.jobId)}`, JobViewSchema, { signal })
    return spec.public === true
  } catch (error) {
    // Another coordinator's job, or this one is away: the next look asks again.
    if (isCodedError(error) || signal?.aborted) return false
    throw error
  }
}

async function watchBatch(
  deps: DisputeTaskDeps,
  { rate, random = unforeseen, signal, onEvent = () => undefined }: WatchParams,
  history: History,
  record: BatchRecord,
): Promise<DisputeResult[]> {
  const { batchId, batch } = record
  const layout = layoutOf(record)
  const chosen = Array.from({ length: record.terms.tasks }, (_, task) => task).filter(
    (task) => positionOf(layout, task) !== undefined && random() < rate,
  )
  onEvent({ kind: "batch", batchId, leaves: layout.size, sampled: chosen.length })
  if (chosen.length === 0) return []
  const results: DisputeResult[] = []
  try {
    const tasks = await openTasks(deps, batch.jobId, signal)
    const data = await fetchBatchData(deps.coordinator, { ...sourceOf(history, record), signal })
    for (const taskIndex of chosen) {
      const result = await disputeIn(deps, {
        jobId: batch.jobId,
        taskIndex,
        tasks,
        record,
        data,
        ...(signal && { signal }),
      })
      onEvent({ kind: "checked", batchId, taskIndex, result })
      results.push(result)
      // Its worker's whole range is void, and a second dispute of it would earn nothing.
      if (result.outcome === "refuted") break
    }
  } catch (error) {
    if (signal?.aborted || !isCodedError(error)) throw error
    onEvent({ kind: "failed", batchId, code: error.detail.code, text: error.message })
    if (isUnserved(error.detail.code)) {
      const position = positionOf(layout, chosen[0]!)!
      await demandLeaf(deps, record, position)
      onEvent({ kind: "demanded", batchId, position, why: `batch ${formatBatchId(batchId)} is not served` })
    }
  }
  return results
}

function isUnserved(code: string): boolean {
  return code === "E_COORDINATOR_DOWN" || code === "E_COORDINATOR_ANSWER" || code === "E_BATCH_NOT_PUBLIC"
}

async function demandLeaf({ chain, account, deployment }: DisputeTaskDeps, record: BatchRecord, position: number) {
  const { challenges } = deployment.contracts
  const { terms, batch, attestation } = record
  const about = { address: challenges, abi: challengesAbi } as const
  const [{ baseFeePerGas }, gas] = await Promise.all([
    chain.getBlock({ blockTag: "pending" }),
    chain.readContract({ ...about, functionName: "gasFigure", args: [LEAF] }),
  ])
  // Twice what it takes (R26): the base fee moves until it is mined, and what is too much comes back.
  const value = 2n * (2n * (baseFeePerGas ?? 0n) * gas)
  try {
    const args = [terms, batch, attestation, position]
    await sendCall(chain, account, { ...about, functionName: "demandLeaf", args, value })
  } catch (error) {
    // Another watchtower asked already.
    if (revertedWith(error) !== "DemandExists") throw error
  }
}

function unforeseen(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32
}
