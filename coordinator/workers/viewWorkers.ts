import { desc, eq, sql } from "drizzle-orm"
import type { Address } from "viem"
import type { WorkerView } from "#protocol"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import { workers } from "../store/schema.ts"
import type { WorkerRow } from "./eligibility.ts"
import { ONLINE_MS } from "./workerBook.ts"

/** Workers lately seen first. */
export async function viewWorkers(db: Db, limit = 200): Promise<WorkerView[]> {
  const rows = await db.select().from(workers).orderBy(desc(workers.lastSeen)).limit(limit)
  return withLoad(db, rows)
}

export async function viewWorker(db: Db, account: Address): Promise<WorkerView | undefined> {
  const rows = await db.select().from(workers).where(eq(workers.account, account))
  const [view] = await withLoad(db, rows)
  return view
}

async function withLoad(db: Db, rows: readonly WorkerRow[]): Promise<WorkerView[]> {
  if (rows.length === 0) return []
  const accounts = sql.join(
    rows.map((row) => sql`${row.account}`),
    sql`, `,
  )
  const loads = await query<{ worker: Address; running: number; waiting: number; units: number | string }>(
    db,
    sql`SELECT worker, count(*) FILTER (WHERE state = 'leased')::int AS running,
          count(*) FILTER (WHERE state IN ('received', 'committed', 'attested'))::int AS waiting,
          coalesce(sum(units) FILTER (WHERE state = 'received'), 0)::bigint AS units
        FROM shards WHERE worker IN (${accounts}) AND state IN ('leased', 'received', 'committed', 'attested')
        GROUP BY worker`,
  )
  const byWorker = new Map(loads.map((load) => [load.worker, load]))
  return rows.map((row) => {
    const load = byWorker.get(row.account)
    return {
      account: row.account,
      online: isOnline(row),
      lastSeen: row.lastSeen.toISOString(),
      profiles: row.profiles as WorkerView["profiles"],
      verifyOnly: row.verifyOnly,
      running: load?.running ?? 0,
      waiting: load?.waiting ?? 0,
      uncommittedUnits: Number(load?.units ?? 0),
      refused: row.refused,
    }
  })
}

export function isOnline(row: Pick<WorkerRow, "lastSeen">, at = Date.now()): boolean {
  return at - row.lastSeen.getTime() < ONLINE_MS
}

/** Workers heard of within the last minute. */
export async function onlineWorkers(db: Db): Promise<WorkerRow[]> {
  return db
    .select()
    .from(workers)
    .where(sql`${workers.lastSeen} > now() - make_interval(secs => ${ONLINE_MS / 1000})`)
}
