import { eq, sql } from "drizzle-orm"
import type { Address, Hex, TypedDataDomain } from "viem"
import { type ReleaseSubmission, recoverSigner } from "#protocol"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import { leases } from "../store/schema.ts"
import type { ChainView } from "../workers/chainView.ts"
import { countFailures } from "./expireLeases.ts"

export type ReleaseLeaseDeps = {
  db: Db
  domain: TypedDataDomain
  view: Pick<ChainView, "accountOf">
  now: () => number
}
export type ReleaseLeaseParams = { account: Address; leaseHash: Hex; submission: ReleaseSubmission }

/** How far a worker's idea of chain time may be ahead of ours. */
const CLOCK_SLACK = 30
/** A worker that stops in an orderly way has not failed. */
const NO_FAULT = new Set(["E_WORKER_STOPPED", "E_COORDINATOR_DOWN"])

/** R14: the worker ends its lease by its own signature, so that the next lease of the shard does not overlap it. */
export async function releaseLease(deps: ReleaseLeaseDeps, params: ReleaseLeaseParams): Promise<{ requeued: boolean }> {
  const { db, domain, view, now } = deps
  const { account, leaseHash, submission } = params
  const { release, signature, code, text } = submission
  const [lease] = await db.select().from(leases).where(eq(leases.leaseHash, leaseHash))
  if (!lease) throw refuse("E_LEASE_UNKNOWN", "this coordinator gave no such lease")
  if (lease.worker !== account) throw refuse("E_LEASE_NOT_YOURS", `the lease is ${lease.worker}'s`)
  if (release.leaseHash !== leaseHash) throw refuse("E_BAD_REQUEST", "the release is of another lease than the path")
  const signer = await recoverSigner({ domain, type: "Release", message: release, signature })
  if (!signer || (await view.accountOf(signer.toLowerCase() as Address)) !== account) {
    throw refuse("E_RELEASE_SIGNATURE", "the release is not signed by a session key of the worker")
  }
  if (lease.state === "released") return { requeued: false }
  if (lease.state !== "active") throw refuse("E_LEASE_ENDED", `the lease is ${lease.state} already`)
  const at = Number(release.at)
  if (at > now() + CLOCK_SLACK) throw refuse("E_BAD_REQUEST", `the release is of the future: chain time is ${now()}`)
  // The signed time counts: a contract that sees both leases takes it for the end of the first one.
  const endAt = Math.max(lease.startAt, Math.min(lease.expiry, at))
  const failed = NO_FAULT.has(code) ? sql`SELECT 1` : countFailures(sql`SELECT worker, 1 AS n FROM ended`)
  const rows = await query<{ shard: number }>(
    db,
    sql`WITH ended AS (
        UPDATE leases SET state = 'released', end_at = ${endAt}, release_signature = ${signature}, release_at = ${at}, end_reason = ${code}
        WHERE lease_hash = ${leaseHash} AND state = 'active'
        RETURNING lease_hash, job_id, shard, worker
      ), requeued AS (
        UPDATE shards SET state = 'queued', enqueued = false, lease_hash = NULL, worker = NULL,
          available_at = ${endAt}, updated_at = now()
        FROM ended WHERE shards.lease_hash = ended.lease_hash AND shards.state = 'leased'
        RETURNING shards.shard
      ), counted AS (${failed}), told AS (
        INSERT INTO events (code, text, job_id, shard, worker)
        SELECT 'TASK_LEASE_RELEASED', ${`given back by the worker: ${code}: ${text}`}, job_id, shard, worker FROM ended
      ) SELECT shard FROM requeued`,
  )
  return { requeued: rows.length > 0 }
}
