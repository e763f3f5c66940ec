import { sql } from "drizzle-orm"
import type { Address } from "viem"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import type { Backlog } from "./eligibility.ts"

/** What a worker holds and what it delivered that is not committed yet, by job. */
export async function backlogOf(db: Db, worker: Address): Promise<Backlog[]> {
  const rows = await query<{ job_id: string; leased: number; received: number; units: string | number | null }>(
    db,
    sql`SELECT job_id::text AS job_id,
          count(*) FILTER (WHERE state = 'leased')::int AS leased,
          count(*) FILTER (WHERE state = 'received')::int AS received,
          coalesce(sum(units) FILTER (WHERE state = 'received'), 0)::bigint AS units
        FROM shards WHERE worker = ${worker} AND state IN ('leased', 'received') GROUP BY job_id`,
  )
  return rows.map((row) => ({
    jobId: BigInt(row.job_id),
    leased: row.leased,
    received: row.received,
    receivedUnits: Number(row.units),
  }))
}
