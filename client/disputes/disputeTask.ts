import type { LocalAccount, PublicClient } from "viem"
import type { Runner } from "#engine"
import {
  type Batch,
  type BatchData,
  type BatchLayout,
  batchLayout,
  buildShardTree,
  buildTopTree,
  type Deployment,
  formatJobId,
  leafPath,
  parseRanges,
  placeOf,
  positionOf,
} from "#protocol"
import { eventsNamed, type History, readHistory } from "../chain/readHistory.ts"
import { clientError } from "../errors.ts"
import type { Coordinator } from "../http/coordinator.ts"
import { type BatchRecord, readBatches } from "../payouts/ledger.ts"
import { fetchBatchData } from "../verify/fetchBatchData.ts"
import { type DisputeResult, disputeLeaf, type SignedLeaf } from "./disputeLeaf.ts"
import { type OpenTasks, openTasks } from "./openTasks.ts"

export type DisputeTaskDeps = {
  readonly chain: PublicClient
  readonly coordinator: Coordinator
  readonly deployment: Deployment
  readonly account: LocalAccount
  readonly runner: Runner
}

export type DisputeTaskParams = {
  readonly jobId: bigint
  readonly taskIndex: number
  readonly signal?: AbortSignal
  readonly onStep?: (text: string) => void
}

/** `assay dispute`: computes a task again and disputes its committed leaf if that is wrong. */
export async function disputeTask(deps: DisputeTaskDeps, params: DisputeTaskParams): Promise<DisputeResult> {
  const { jobId, taskIndex, signal } = params
  const tasks = await openTasks(deps, jobId, signal)
  const history = await readHistory(deps.chain, deps.deployment)
  const record = openBatches(history, jobId).find((one) => positionOf(layoutOf(one), taskIndex) !== undefined)
  if (!record) {
    const message = `task ${taskIndex} of job ${formatJobId(jobId)} stands in no batch that is attested and not final: there is nothing to dispute`
    throw clientError("E_DISPUTE_CLOSED", message)
  }
  const data = await fetchBatchData(deps.coordinator, { ...sourceOf(history, record), signal })
  return disputeIn(deps, { ...params, tasks, record, data })
}

/** Batches whose leaves can still be disputed, as far as events tell; the contract knows the clock. */
export function openBatches(history: History, jobId?: bigint): BatchRecord[] {
  const ended = new Set(
    (["BatchFinalized", "BatchForfeited", "BatchWithdrawn"] as const).flatMap((name) =>
      eventsNamed(history, name).map(({ args }) => args.batchId),
    ),
  )
  return [...readBatches(history).values()].filter(
    ({ batchId, batch, attestation }) =>
      attestation !== undefined && !ended.has(batchId) && (jobId === undefined || batch.jobId === jobId),
  )
}

export function sourceOf(history: History, { batchId }: BatchRecord): { url: string; batchId: bigint } {
  const { args } = eventsNamed(history, "BatchCommitted").find((event) => event.args.batchId === batchId)!
  return { url: args.url, batchId }
}

export function layoutOf({ terms, batch }: BatchRecord): BatchLayout {
  const mask = parseRanges(batch.ranges).reduce((all, range) => all | range.mask, 0n)
  return batchLayout({ plan: terms, firstShard: batch.firstShard, mask })
}

type DisputeInParams = DisputeTaskParams & {
  readonly tasks: OpenTasks
  readonly record: BatchRecord
  readonly data: BatchData
}

export async function disputeIn(deps: DisputeTaskDeps, params: DisputeInParams): Promise<DisputeResult> {
  const { tasks, record, data, taskIndex, signal, onStep } = params
  const layout = layoutOf(record)
  const position = positionOf(layout, taskIndex)!
  const claimedOutputs = await tasks.outputs(taskIndex)
  return disputeLeaf(deps, {
    batchId: record.batchId,
    terms: record.terms,
    batch: record.batch,
    attestation: record.attestation!,
    signed: signedLeaf({ batch: record.batch, data, layout, position }),
    position,
    program: tasks.program,
    salt: await tasks.salt(taskIndex),
    inputs: await tasks.inputs(taskIndex),
    ...(claimedOutputs && { claimedOutputs }),
    ...(signal && { signal }),
    ...(onStep && { onStep }),
  })
}

type SignedLeafParams = { batch: Batch; data: BatchData; layout: BatchLayout; position: number }

function signedLeaf({ batch, data, layout, position }: SignedLeafParams): SignedLeaf {
  const { ordinal, offset } = placeOf(layout, position)
  const treeOf = ({ lease, leaves }: BatchData["shards"][number]) =>
    buildShardTree({
      jobId: batch.jobId,
      shardSize: layout.plan.shardSize,
      leaves: leaves.map((leaf) => ({ ...leaf, worker: lease.worker })),
    })
  const trees = data.shards.map(treeOf)
  const { lease, leaseSignature, receipt, receiptSignature, leaves } = data.shards[ordinal]!
  const topTree = buildTopTree(trees.map(({ root }) => root))
  return {
    leaf: { ...leaves[offset]!, worker: lease.worker },
    path: leafPath({ shardTree: trees[ordinal]!, topTree, ordinal, offset }),
    lease,
    leaseSignature,
    receipt,
    receiptSignature,
  }
}
