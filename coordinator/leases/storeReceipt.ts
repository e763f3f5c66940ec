import { eq, sql } from "drizzle-orm"
import type { Address, Hex, TypedDataDomain } from "viem"
import { z } from "zod"
import { formatCount, type ReceiptSubmission, recoverSigner, WireLeavesSchema } from "#protocol"
import { mayRead } from "../artifacts/access.ts"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { refuse } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { JobContexts } from "../jobs/jobContexts.ts"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import { leases, receipts } from "../store/schema.ts"
import type { ChainView } from "../workers/chainView.ts"

export type StoreReceiptDeps = {
  db: Db
  domain: TypedDataDomain
  view: Pick<ChainView, "accountOf">
  contexts: JobContexts
  artifacts: Pick<ArtifactStore, "file" | "size">
  hasher: Pick<Hasher, "checkReceipt">
  now: () => number
}
export type StoreReceiptParams = { account: Address; leaseHash: Hex; submission: ReceiptSubmission }

/**
 * Takes a worker's word for a shard (R14). Everything that the coordinator will stand behind is checked here: whose
 * signature it is, that shard root and units follow from the leaves, that inputs are the job's and that the uploaded
 * outputs make the leaves' commitments. The same receipt may come again; another one for the same lease may not.
 */
export async function storeReceipt(
  deps: StoreReceiptDeps,
  params: StoreReceiptParams,
): Promise<{ fresh: boolean; tasks: number }> {
  const { db, domain, view, contexts, artifacts, hasher } = deps
  const { account, leaseHash, submission } = params
  const { receipt, signature, leaves, outputs } = submission
  const [row] = await db
    .select({ lease: leases, stored: receipts })
    .from(leases)
    .leftJoin(receipts, eq(receipts.leaseHash, leases.leaseHash))
    .where(eq(leases.leaseHash, leaseHash))
  if (!row) throw refuse("E_LEASE_UNKNOWN", "this coordinator gave no such lease")
  const { lease, stored } = row
  if (lease.worker !== account) throw refuse("E_LEASE_NOT_YOURS", `the lease is ${lease.worker}'s`)
  if (receipt.leaseHash !== leaseHash) throw refuse("E_BAD_REQUEST", "the receipt is of another lease than the path")
  if (stored) return sameOrConflict(stored, submission)
  if (lease.state === "released")
    throw refuse("E_LEASE_ENDED", "the lease was given back; its shard is somebody else's")

  const signer = await recoverSigner({ domain, type: "Receipt", message: receipt, signature })
  if (!signer || (await view.accountOf(signer.toLowerCase() as Address)) !== account) {
    throw refuse("E_RECEIPT_SIGNATURE", "the receipt is not signed by a session key that the worker registered")
  }
  const bytes = await artifacts.size(outputs)
  // *Somebody else's outputs under their hash*: who did not upload them has no claim to them.
  if (bytes === undefined || !(await mayRead(db, { sha256: outputs, account, now: deps.now() }))) {
    throw refuse("E_ARTIFACT_UNKNOWN", `upload the outputs ${outputs} first`, { missing: [outputs] })
  }
  const job = await contexts.get(lease.jobId)
  const { first, count } = job.tasksOf(lease.shard)
  await hasher.checkReceipt({
    jobId: lease.jobId,
    worker: account,
    jobSalt: job.jobSalt,
    shardSize: job.terms.shardSize,
    first,
    count,
    maxUnits: job.terms.maxUnits,
    ports: job.spec.model.outputs,
    inputCommitments: Array.from({ length: count }, (_, i) => job.inputs.commitment(first + i)),
    leaves,
    outputs: { sha256: outputs, path: await artifacts.file(outputs), bytes },
    shardRoot: receipt.shardRoot,
    units: Number(receipt.units),
  })

  const id = sql`${lease.jobId.toString()}::numeric`
  const units = Number(receipt.units)
  const wire = JSON.stringify(z.encode(WireLeavesSchema, leaves))
  const taken = await query<{ shard: number }>(
    db,
    // A lease that ran out while nobody else got the shard is still good: the contract asks for no more (R18).
    sql`WITH received AS (
        UPDATE shards SET state = 'received', lease_hash = ${leaseHash}, worker = ${account}, units = ${units},
          received_at = now(), updated_at = now()
        WHERE job_id = ${id} AND shard = ${lease.shard}
          AND ((state = 'leased' AND lease_hash = ${leaseHash}) OR (state = 'queued' AND available_at = ${lease.endAt}))
          AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.lease_hash = ${leaseHash})
        RETURNING shard
      ), stored AS (
        INSERT INTO receipts (lease_hash, job_id, shard, worker, shard_root, units, signature, outputs, leaves)
        SELECT ${leaseHash}, ${id}, shard, ${account}, ${receipt.shardRoot}, ${units}, ${signature}, ${outputs},
          ${wire}::jsonb FROM received
      ), ended AS (
        UPDATE leases SET state = 'received' FROM received WHERE lease_hash = ${leaseHash}
      ), trusted AS (
        UPDATE workers SET failures = 0, cooled_until = NULL FROM received WHERE account = ${account} AND failures > 0
      ), readable AS (
        INSERT INTO artifact_acl (sha256, account, reason)
        SELECT ${outputs}, grantee.account, grantee.reason FROM received,
          (VALUES (${job.terms.requester}, 'requester'), (${account}, 'worker')) AS grantee(account, reason)
        ON CONFLICT DO NOTHING
      ), told AS (
        INSERT INTO events (code, text, job_id, shard, worker)
        SELECT 'TASK_RECEIVED', ${`receipt stored: ${formatCount(units, "unit")} in ${formatCount(count, "task")}`}, ${id}, shard, ${account} FROM received
      ) SELECT shard FROM received`,
  )
  if (taken.length > 0) return { fresh: true, tasks: count }
  // The same receipt may have come twice at once; otherwise the shard went to somebody else.
  const [other] = await db.select().from(receipts).where(eq(receipts.leaseHash, leaseHash))
  if (other) return sameOrConflict(other, submission)
  throw refuse("E_LEASE_ENDED", "the lease ran out and its shard was leased to somebody else")
}

function sameOrConflict(stored: typeof receipts.$inferSelect, { receipt, outputs }: ReceiptSubmission) {
  if (stored.shardRoot === receipt.shardRoot && stored.units === Number(receipt.units) && stored.outputs === outputs) {
    return { fresh: false, tasks: 0 }
  }
  throw refuse("E_RECEIPT_CONFLICT", "another receipt for this lease is stored; a key signs one a lease (R8)")
}
