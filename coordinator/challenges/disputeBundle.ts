import { and, eq } from "drizzle-orm"
import type { Address } from "viem"
import type { DisputeBundle } from "#protocol"
import { placeOf } from "#protocol"
import { grantAccess, registerArtifact } from "../artifacts/access.ts"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { bundleInputs } from "../audits/inputBundle.ts"
import { attestationStruct, batchStruct, layoutOf, maskOfRanges } from "../batches/batchRow.ts"
import { type Chain, lower } from "../chain/client.ts"
import { refuse } from "../errors.ts"
import type { JobContexts } from "../jobs/jobContexts.ts"
import type { Db } from "../store/database.ts"
import { batches, disputes, jobs, ranges, samples } from "../store/schema.ts"

export type DisputeBundleDeps = {
  db: Db
  chain: Chain
  artifacts: Pick<ArtifactStore, "read" | "putBytes">
  contexts: JobContexts
}

/** What a juror needs to find the answer for itself: task, input and salt (R28), for jurors and parties alone. */
export async function disputeBundle(
  deps: DisputeBundleDeps,
  { disputeId, account }: { disputeId: bigint; account: Address },
): Promise<DisputeBundle> {
  const { db, artifacts, contexts } = deps
  const [dispute] = await db.select().from(disputes).where(eq(disputes.disputeId, disputeId))
  const [batch] = dispute ? await db.select().from(batches).where(eq(batches.batchId, dispute.batchId)) : []
  if (!dispute || !batch) throw refuse("E_DISPUTE_UNKNOWN", "this coordinator knows no such dispute")
  const who = lower(account)
  const reason = await reasonOf(deps, { dispute, jobId: batch.jobId, who })
  if (!reason) throw refuse("E_AUTH_FORBIDDEN", "only the jurors and the parties of a dispute may see its task")
  const context = await contexts.get(batch.jobId)
  const [drawn] = await db
    .select({ position: samples.position })
    .from(samples)
    .where(and(eq(samples.batchId, batch.batchId), eq(samples.sample, dispute.sample)))
  if (!drawn) throw refuse("E_DISPUTE_UNKNOWN", "this coordinator did not draw the batch of that dispute")
  const layout = layoutOf(context.terms, { firstShard: batch.firstShard, mask: maskOfRanges(batch.ranges) })
  const { taskIndex } = placeOf(layout, drawn.position)
  const bytes = await bundleInputs({ artifacts }, { context, taskIndexes: [taskIndex] })
  const inputs = await artifacts.putBytes(bytes)
  await registerArtifact(db, { sha256: inputs, bytes: bytes.length })
  await grantAccess(db, [{ sha256: inputs, account: who, reason }])
  return {
    disputeId,
    batchId: batch.batchId,
    batch: batchStruct(batch),
    ...(batch.seed ? { seed: batch.seed } : {}),
    ...(batch.verdictRoot ? { attestation: attestationStruct(batch) } : {}),
    terms: context.terms,
    spec: context.spec,
    sample: dispute.sample,
    position: drawn.position,
    taskIndex,
    salt: context.salt(taskIndex),
    inputCommitment: context.inputs.commitment(taskIndex),
    inputProof: context.inputs.path(taskIndex),
    inputs,
  }
}

type ReasonParams = { dispute: typeof disputes.$inferSelect; jobId: bigint; who: Address }

async function reasonOf({ db, chain }: DisputeBundleDeps, { dispute, jobId, who }: ReasonParams) {
  if ((dispute.jurors ?? []).some(({ account }) => account === who)) return "juror" as const
  if (who === dispute.verifier) return "candidate" as const
  if (who === lower(chain.account.address)) return "requester" as const
  const [job] = await db.select({ requester: jobs.requester }).from(jobs).where(eq(jobs.jobId, jobId))
  if (job?.requester === who) return "requester" as const
  const [range] = await db
    .select({ worker: ranges.worker })
    .from(ranges)
    .where(and(eq(ranges.batchId, dispute.batchId), eq(ranges.position, dispute.range)))
  return range?.worker === who ? ("worker" as const) : undefined
}
