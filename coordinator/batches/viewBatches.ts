import { and, asc, eq } from "drizzle-orm"
import type { Address } from "viem"
import { type BatchData, type BatchView, parseRanges, unpackVerifier } from "#protocol"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { verdictOf } from "../audits/storeVerdicts.ts"
import { lower } from "../chain/client.ts"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { batches, disputes, jobs, samples, verdicts } from "../store/schema.ts"
import { parseBatchShards } from "./batchData.ts"
import type { BatchRow } from "./batchRow.ts"

export function batchView(row: BatchRow): BatchView {
  return {
    batchId: row.batchId,
    jobId: row.jobId,
    number: row.number,
    state: row.state,
    committer: row.committer,
    backer: row.backer,
    firstShard: row.firstShard,
    root: row.root,
    commitBlock: row.commitBlock,
    ...(row.seed ? { seed: row.seed } : {}),
    ...(row.verdictRoot ? { verdictRoot: row.verdictRoot } : {}),
    ranges: parseRanges(row.ranges.map(BigInt)).map((range) => ({ ...range, worker: lower(range.worker) })),
    ...(row.verifiers
      ? {
          verifiers: row.verifiers.map((word) => {
            const total = unpackVerifier(BigInt(word))
            return { ...total, verifier: lower(total.verifier) }
          }),
        }
      : {}),
    ...(row.silentRanges === null ? {} : { silentRanges: row.silentRanges }),
    voided: row.voided,
    frozen: row.frozen,
    leaves: row.leaves,
    k: row.samples,
    dataHash: row.dataHash,
    url: row.url,
    tx: {
      commit: row.commitTx,
      ...(row.drawTx ? { draw: row.drawTx } : {}),
      ...(row.attestTx ? { attest: row.attestTx } : {}),
      ...(row.finalizeTx ? { finalize: row.finalizeTx } : {}),
    },
  }
}

/** A job's batches in the order of the chain. */
export async function batchViews(db: Db, jobId: bigint): Promise<BatchView[]> {
  const rows = await db.select().from(batches).where(eq(batches.jobId, jobId)).orderBy(asc(batches.number))
  return rows.map(batchView)
}

export async function findBatch(db: Db, batchId: bigint): Promise<BatchRow> {
  const [row] = await db.select().from(batches).where(eq(batches.batchId, batchId))
  if (!row) throw refuse("E_BATCH_UNKNOWN", "this coordinator does not know that batch")
  return row
}

const PUBLIC_STATES: readonly BatchRow["state"][] = ["attested", "final"]

/** R21: leaves and receipts are anyone's once the batch is attested; before, the requester's, ours and jurors'. */
export function isPublic(row: BatchRow): boolean {
  return PUBLIC_STATES.includes(row.state)
}

export async function mayReadData(db: Db, row: BatchRow, account: Address, coordinator: Address): Promise<boolean> {
  const who = lower(account)
  if (who === lower(coordinator)) return true
  const [job] = await db.select({ requester: jobs.requester }).from(jobs).where(eq(jobs.jobId, row.jobId))
  if (job?.requester === who) return true
  const open = await db.select({ jurors: disputes.jurors }).from(disputes).where(eq(disputes.batchId, row.batchId))
  return open.some(({ jurors }) => (jurors ?? []).some(({ account: juror }) => juror === who))
}

/** All that the batch's roots commit to, with the verdicts that the attestation used (R24). */
export async function batchData(
  { db, artifacts }: { db: Db; artifacts: Pick<ArtifactStore, "read"> },
  row: BatchRow,
): Promise<BatchData> {
  const { shards } = parseBatchShards(await artifacts.read(row.dataHash))
  const drawn = await db
    .select({ sample: samples.sample, state: samples.state })
    .from(samples)
    .where(eq(samples.batchId, row.batchId))
    .orderBy(asc(samples.sample))
  const used = await db
    .select()
    .from(verdicts)
    .where(and(eq(verdicts.batchId, row.batchId), eq(verdicts.used, true)))
  const bySample = new Map(used.map((verdict) => [verdict.sample, verdict]))
  return {
    batchId: row.batchId,
    jobId: row.jobId,
    shards,
    verdicts: row.verdictRoot
      ? drawn.map(({ sample }) => {
          const verdict = bySample.get(sample)
          if (!verdict) return { sample, silent: true }
          return { sample, silent: false, verdict: verdictOf(verdict), signature: verdict.signature }
        })
      : [],
  }
}
