import { and, eq, sql } from "drizzle-orm"
import type { Address, Hex, TypedDataDomain } from "viem"
import { type Lease, type LeaseBundle, leaseHash, type Signer, signMessage } from "#protocol"
import type { JobContext } from "../jobs/jobContexts.ts"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import { shards } from "../store/schema.ts"

export type GrantLeaseDeps = {
  db: Db
  domain: TypedDataDomain
  /** Signs leases (R8). */
  sessionKey: Signer
  leaseSeconds: number
}

export type GrantLeaseParams = {
  job: JobContext
  shard: number
  attempt: number
  worker: Address
  collateral: bigint
  /** Chain time. */
  now: number
}

export type GrantLeaseResult =
  | { outcome: "granted"; bundle: LeaseBundle; leaseHash: Hex }
  /** The queue's entry says what the database does not know any more. */
  | { outcome: "stale" }
  /** R14: the shard's last lease has not ended yet. */
  | { outcome: "later"; seconds: number }

/**
 * Signs a lease and stores it in one statement, which only succeeds while the shard is queued and its job open. The
 * database's exclusion constraint stands behind it: two leases of one shard never overlap, whoever grants them.
 */
export async function grantLease(deps: GrantLeaseDeps, params: GrantLeaseParams): Promise<GrantLeaseResult> {
  const { db, domain, sessionKey, leaseSeconds } = deps
  const { job, shard, attempt, worker, collateral, now } = params
  const { jobId, terms, spec, expected } = job
  const lease: Lease = { jobId, shard, worker, start: BigInt(now), expiry: BigInt(now + leaseSeconds) }
  const hash = leaseHash(lease)
  const signature = await signMessage(sessionKey, { domain, type: "Lease", message: lease })
  const expiry = now + leaseSeconds
  const id = sql`${jobId.toString()}::numeric`
  let granted: { inputs: Hex }[]
  try {
    granted = await query<{ inputs: Hex }>(
      db,
      sql`WITH taken AS (
          UPDATE shards SET state = 'leased', lease_hash = ${hash}, worker = ${worker}, units = NULL,
            attempts = attempts + 1, available_at = ${expiry}, updated_at = now()
          WHERE job_id = ${id} AND shard = ${shard} AND state = 'queued' AND attempts = ${attempt}
            AND available_at <= ${now}
            AND EXISTS (SELECT 1 FROM jobs WHERE jobs.job_id = ${id} AND jobs.state = 'open' AND jobs.deadline > ${now})
          RETURNING inputs
        ), stored AS (
          INSERT INTO leases (lease_hash, job_id, shard, worker, start_at, expiry, end_at, signature, state, collateral)
          SELECT ${hash}, ${id}, ${shard}, ${worker}, ${now}, ${expiry}, ${expiry}, ${signature}, 'active',
            ${collateral.toString()}::numeric FROM taken
        ), readable AS (
          INSERT INTO artifact_acl (sha256, account, reason, until)
          SELECT artifact.sha256, ${worker}, 'lease', ${expiry} FROM taken,
            LATERAL (VALUES (inputs), (${expected}::text)) AS artifact(sha256) WHERE artifact.sha256 IS NOT NULL
          ON CONFLICT (sha256, account, reason) DO UPDATE SET until = greatest(artifact_acl.until, excluded.until)
        ), told AS (
          INSERT INTO events (code, text, job_id, shard, worker)
          SELECT 'TASK_LEASED', ${`leased to ${worker} until ${new Date(expiry * 1000).toISOString()} (chain time)`}, ${id}, ${shard}, ${worker}
          FROM taken
        ) SELECT inputs FROM taken`,
    )
  } catch (error) {
    // The constraint of R14 had to speak: another process knows a lease that this shard's row does not show yet.
    if (!/leases_one_at_a_time/.test(String((error as Error).cause ?? error))) throw error
    return { outcome: "later", seconds: leaseSeconds }
  }
  const [row] = granted
  if (!row) return whyNot(db, { jobId, shard, attempt, now })
  const { first, count } = job.tasksOf(shard)
  const indexes = Array.from({ length: count }, (_, i) => first + i)
  const bundle: LeaseBundle = {
    lease,
    signature,
    terms,
    spec,
    firstTask: first,
    count,
    salts: indexes.map((i) => job.salt(i)),
    inputCommitments: indexes.map((i) => job.inputs.commitment(i)),
    inputProof: job.inputs.proof(first, count),
    inputs: row.inputs,
    ...(expected ? { expected } : {}),
    serverTime: now,
  }
  return { outcome: "granted", bundle, leaseHash: hash }
}

type WhyNotParams = { jobId: bigint; shard: number; attempt: number; now: number }

async function whyNot(db: Db, { jobId, shard, attempt, now }: WhyNotParams): Promise<GrantLeaseResult> {
  const [row] = await db
    .select({ state: shards.state, attempts: shards.attempts, availableAt: shards.availableAt })
    .from(shards)
    .where(and(eq(shards.jobId, jobId), eq(shards.shard, shard)))
  if (row?.state === "queued" && row.attempts === attempt && row.availableAt > now) {
    return { outcome: "later", seconds: row.availableAt - now }
  }
  return { outcome: "stale" }
}
