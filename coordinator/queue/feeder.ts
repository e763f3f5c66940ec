import { and, eq, sql } from "drizzle-orm"
import type { Hex } from "viem"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import { shards } from "../store/schema.ts"
import type { ShardQueue } from "./shardQueue.ts"

export type FeederDeps = {
  db: Db
  queue: ShardQueue
  /** Chain time. */
  now: () => number
  /** Shards of these capabilities were queued. */
  onFed: (capability: Hex) => void
}

export type Feeder = {
  /** Tells the queue what the database says is queued; returns how many shards that were. */
  feed(): Promise<number>
  /** At start, and whenever the queue may have been lost: everything that is queued is told again. */
  rebuild(): Promise<void>
  /** Notices a queue that was emptied behind our back. */
  check(): Promise<void>
}

const AT_ONCE = 1_000

type Row = { job_id: string; shard: number; attempts: number; capability: Hex }

/**
 * The one way into the queue. A shard is queued by its row alone, in whatever transaction made it so; what a crash
 * keeps from the queue is told after the next start, and told twice it is the same entry.
 */
export function createFeeder({ db, queue, now, onFed }: FeederDeps): Feeder {
  async function feedSome(): Promise<number> {
    const rows = await query<Row>(
      db,
      sql`SELECT s.job_id::text AS job_id, s.shard, s.attempts, j.capability
          FROM shards s JOIN jobs j ON j.job_id = s.job_id
          WHERE s.state = 'queued' AND NOT s.enqueued AND s.available_at <= ${now()}
            AND j.state = 'open' AND j.deadline > ${now()}
          ORDER BY j.created_at, s.shard LIMIT ${AT_ONCE}`,
    )
    if (rows.length === 0) return 0
    await queue.push(
      rows.map((row) => ({
        jobId: BigInt(row.job_id),
        shard: row.shard,
        attempt: row.attempts,
        capability: row.capability,
      })),
    )
    // After the push: a crash in between tells them again, which changes nothing.
    for (const [jobId, group] of Map.groupBy(rows, (row) => row.job_id)) {
      const list = sql.join(
        group.map((row) => sql`(${row.shard}::int, ${row.attempts}::int)`),
        sql`, `,
      )
      await db.execute(
        sql`UPDATE shards SET enqueued = true WHERE job_id = ${jobId}::numeric AND state = 'queued'
            AND (shard, attempts) IN (${list})`,
      )
    }
    for (const capability of new Set(rows.map((row) => row.capability))) onFed(capability)
    return rows.length
  }

  async function rebuild(): Promise<void> {
    await db
      .update(shards)
      .set({ enqueued: false })
      .where(and(eq(shards.state, "queued"), eq(shards.enqueued, true)))
  }

  return {
    async feed() {
      let fed = 0
      for (;;) {
        const some = await feedSome()
        fed += some
        if (some < AT_ONCE) return fed
      }
    },
    rebuild,
    async check() {
      const rows = await query<{ capability: Hex; shards: number }>(
        db,
        sql`SELECT j.capability, count(*)::int AS shards FROM shards s JOIN jobs j ON j.job_id = s.job_id
            WHERE s.state = 'queued' AND s.enqueued AND j.state = 'open' AND s.updated_at < now() - interval '10 seconds'
            GROUP BY j.capability`,
      )
      for (const { capability, shards: known } of rows) {
        if ((await queue.waiting(capability)) < known) return rebuild()
      }
    },
  }
}
