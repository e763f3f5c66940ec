import type { Hex } from "viem"
import { type DisputeBundle, placeOf } from "#protocol"
import type { Peer } from "../api/peer.ts"
import { getDispute } from "../api/routes.ts"
import { checkProgram, checkTaskInput } from "../audits/checkAudit.ts"
import { layoutOf } from "../audits/draw.ts"
import { type RecomputeDeps, recompute } from "../audits/recompute.ts"
import { type BatchBook, jobOfBatch } from "../chain/batches.ts"
import { workerError } from "../errors.ts"

export type FindAnswerDeps = Omit<RecomputeDeps, "peer"> & { batches: BatchBook }
export type FindAnswerParams = { disputeId: bigint; batchId: bigint; position: number; peer: Peer; signal: AbortSignal }

/** A juror's own answer: the task out of the job's roots, computed here; neither party's word counts (R28). */
export async function findAnswer(
  deps: FindAnswerDeps,
  { disputeId, batchId, position, peer, signal }: FindAnswerParams,
): Promise<Hex> {
  const dispute = await getDispute(peer, disputeId, signal)
  await checkDispute(deps, { dispute, batchId, position })
  const { spec, terms, inputs, taskIndex, salt, inputCommitment } = dispute
  const { programRoot } = terms
  const tasks = [{ index: taskIndex, salt, inputCommitment }]
  for await (const { outputs, digest } of recompute({ ...deps, peer }, { spec, programRoot, inputs, tasks, signal })) {
    const { outputCommitment } = await deps.hasher.run("output", { salt, result: { outputs, digests: digest } })
    return outputCommitment
  }
  throw workerError("E_RUN_FAILED", "the disputed task gave no result")
}

type CheckDisputeParams = { dispute: DisputeBundle; batchId: bigint; position: number }

/** Batch and terms are the chain's own; only spec, salt and input are the peer's, and they must fit. */
async function checkDispute(
  { batches }: Pick<FindAnswerDeps, "batches">,
  { dispute, batchId, position }: CheckDisputeParams,
): Promise<void> {
  const [terms, committed] = await Promise.all([batches.terms(jobOfBatch(batchId)), batches.batch(batchId)])
  if (!terms || !committed) throw workerError("E_BATCH_UNKNOWN", `batch ${batchId} is not on the chain`)
  checkProgram(dispute.spec, terms)
  if (placeOf(layoutOf(committed.batch, terms), position).taskIndex !== dispute.taskIndex) {
    throw workerError("E_AUDIT_REFUSED", `position ${position} is not task ${dispute.taskIndex}`)
  }
  checkTaskInput(terms, dispute)
}
