import { sql } from "drizzle-orm"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"

/** A receipt that is on its way when the lease ends is still taken. */
export const EXPIRY_GRACE_SECONDS = 2

export type ExpiredLease = { job_id: string; shard: number; worker: string }

/** R14: leases that ran out go back to the queue, their workers are counted down (see `cooledUntil`), the log says so. */
export async function expireLeases(db: Db, now: number): Promise<ExpiredLease[]> {
  return query<ExpiredLease>(
    db,
    sql`WITH ended AS (
        UPDATE leases SET state = 'expired', end_reason = 'TASK_LEASE_EXPIRED'
        WHERE state = 'active' AND expiry < ${now - EXPIRY_GRACE_SECONDS}
        RETURNING lease_hash, job_id, shard, worker, end_at
      ), requeued AS (
        UPDATE shards SET state = 'queued', enqueued = false, lease_hash = NULL, worker = NULL,
          available_at = ended.end_at, updated_at = now()
        FROM ended WHERE shards.lease_hash = ended.lease_hash AND shards.state = 'leased'
        RETURNING shards.job_id, shards.shard, ended.worker
      ), counted AS (
        ${countFailures(sql`SELECT worker, count(*)::int AS n FROM requeued GROUP BY worker`)}
      ), told AS (
        INSERT INTO events (code, text, job_id, shard, worker)
        SELECT 'TASK_LEASE_EXPIRED', 'the lease ran out before a receipt came; the shard is queued again',
          job_id, shard, worker FROM requeued
      ) SELECT job_id::text AS job_id, shard, worker FROM requeued`,
  )
}

/** Failures that a worker may have in a row before it is cooled down. */
const FREE_FAILURES = 3

/**
 * Counts leases without a receipt. From the third in a row on the worker pauses, for 30 s at first, twice as long with
 * each further one, half an hour at most: one machine that hangs must not hold every shard for the length of a lease.
 */
export function countFailures(source: ReturnType<typeof sql>) {
  return sql`UPDATE workers SET failures = workers.failures + failed.n,
      cooled_until = CASE WHEN workers.failures + failed.n >= ${FREE_FAILURES}::int
        THEN now() + least(interval '30 minutes',
          interval '30 seconds' * power(2, least(workers.failures + failed.n - ${FREE_FAILURES}::int, 10)))
        ELSE workers.cooled_until END
    FROM (${source}) AS failed WHERE workers.account = failed.worker`
}
