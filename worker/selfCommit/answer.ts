import {
  type Attestation,
  buildPairTree,
  buildShardTree,
  buildTopTree,
  leafPath,
  placeOf,
  SILENT_VERDICT,
  type Signer,
  treePath,
  verdictHash,
  verdictLeafHash,
} from "#protocol"
import type { ChainEvent } from "../chain/watch.ts"
import { workerError } from "../errors.ts"
import { drawOf, recordsOf } from "./audit.ts"
import type { ConcludeDeps } from "./conclude.ts"
import type { OwnBatch } from "./ownBatches.ts"
import { batchShard } from "./shards.ts"

export type AnswerDeps = ConcludeDeps & { signer: Signer }
export type Demand = Extract<ChainEvent, { eventName: "DemandOpened" }>["args"]

/** DemandKind of the contract. */
const KIND = { leaf: 0, shards: 1, verdict: 2, signature: 3 } as const

/** R26: what is asked of a batch of our own is shown at once; an unanswered demand voids our range. */
export async function answerDemand(deps: AnswerDeps, own: OwnBatch, demand: Demand): Promise<void> {
  switch (demand.kind) {
    case KIND.leaf:
      return await answerLeaf(deps, own, demand.position)
    case KIND.shards:
      return await answerShards(deps, own)
    case KIND.verdict:
      return await answerVerdict(deps, own, demand.position)
    case KIND.signature:
      return await answerSignature(deps, own, demand.position)
  }
}

/** The trees of the batch, and the terms that every call resubmits. */
function evidence(deps: AnswerDeps, { batchId, batch }: OwnBatch) {
  const records = recordsOf(deps, batchId)
  const first = records[0]
  if (!first) throw workerError("E_BATCH_UNKNOWN", "the leases of our batch are not here any more")
  const row = records.map(({ result: { receipt } }) => ({ hash: receipt.shardRoot, units: receipt.units }))
  return { records, terms: first.bundle.terms, batch, row, topTree: buildTopTree(row) }
}

const callOf = ({ chain: { challenges } }: AnswerDeps) =>
  ({ address: challenges.address, abi: challenges.abi }) as const

async function answerLeaf(deps: AnswerDeps, own: OwnBatch, position: number): Promise<void> {
  const { records, terms, batch, topTree } = evidence(deps, own)
  const draw = await drawOf(deps, own)
  if (!draw) return
  const { ordinal, offset } = placeOf(draw.layout, position)
  const { lease } = records[ordinal]!.bundle
  const leaves = records[ordinal]!.result.leaves.map(({ digestPart: _, ...leaf }) => ({
    ...leaf,
    worker: lease.worker,
  }))
  const shardTree = buildShardTree({ jobId: lease.jobId, shardSize: terms.shardSize, leaves })
  const path = leafPath({ shardTree, topTree, ordinal, offset })
  const args = [terms, batch, position, leaves[offset]!, path] as const
  await deps.sender.send({ ...callOf(deps), functionName: "answerLeaf", args })
}

async function answerShards(deps: AnswerDeps, own: OwnBatch): Promise<void> {
  const { terms, batch, row } = evidence(deps, own)
  await deps.sender.send({ ...callOf(deps), functionName: "answerShards", args: [terms, batch, row] })
}

async function answerVerdict(deps: AnswerDeps, own: OwnBatch, sample: number): Promise<void> {
  const { terms, batch } = evidence(deps, own)
  const attestation: Attestation | undefined = own.attestation ?? (await deps.batches.attestation(own.batchId))
  const draw = await drawOf(deps, own)
  const given = own.verdicts.find(({ verdict }) => verdict.sample === sample)
  // A SILENT leaf cannot be shown as a verdict; the attestation names its range already (R24).
  if (!attestation || !draw || !given) return
  const leaves = draw.positions.map((_, i) => {
    const verdict = own.verdicts.find((kept) => kept.verdict.sample === i)?.verdict
    const leaf = verdict
      ? { verifier: verdict.verifier, units: verdict.units, verdictHash: verdictHash(verdict) }
      : SILENT_VERDICT
    return verdictLeafHash(i, leaf)
  })
  const proof = treePath(buildPairTree(leaves), sample)
  const args = [terms, batch, attestation, sample, given.verdict, given.signature, proof] as const
  await deps.sender.send({ ...callOf(deps), functionName: "answerVerdict", args })
}

async function answerSignature(deps: AnswerDeps, own: OwnBatch, ordinal: number): Promise<void> {
  const { records, terms, batch, topTree } = evidence(deps, own)
  const { lease, leaseSignature, receipt, receiptSignature } = await batchShard(deps, records[ordinal]!)
  const path = treePath(topTree, ordinal)
  const args = [terms, batch, ordinal, lease, leaseSignature, receipt, receiptSignature, path] as const
  await deps.sender.send({ ...callOf(deps), functionName: "answerSignature", args })
}
