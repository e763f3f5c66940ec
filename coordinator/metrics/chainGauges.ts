import { type SQL, sql } from "drizzle-orm"
import { Gauge, type Registry } from "prom-client"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"

type Row = { state: string; n: number }

/** What the chain half has done and has still to do, read from the database when somebody scrapes. */
export function addChainGauges(registry: Registry, db: Db): void {
  const registers = [registry]
  const byState = (name: string, help: string, rows: SQL) =>
    new Gauge({
      name,
      help,
      labelNames: ["state"] as const,
      registers,
      async collect() {
        this.reset()
        for (const { state, n } of await query<Row>(db, rows)) this.set({ state }, n)
      },
    })
  byState("assay_batches", "Batches by state", sql`SELECT state, count(*)::int AS n FROM batches GROUP BY state`)
  byState(
    "assay_ranges_voided",
    "Voided ranges by whose fault it was",
    sql`SELECT voided AS state, count(*)::int AS n FROM ranges WHERE voided IS NOT NULL GROUP BY voided`,
  )
  byState("assay_disputes", "Disputes by state", sql`SELECT state, count(*)::int AS n FROM disputes GROUP BY state`)
  byState("assay_demands", "Demands by state", sql`SELECT state, count(*)::int AS n FROM demands GROUP BY state`)
  byState(
    "assay_outbox_calls",
    "Calls to the chain by state; failed ones were given up",
    sql`SELECT state, count(*)::int AS n FROM outbox GROUP BY state`,
  )
  new Gauge({
    name: "assay_follower_block",
    help: "The newest block whose events are applied",
    registers,
    async collect() {
      const rows = await query<{ block: string }>(db, sql`SELECT block::text FROM cursor LIMIT 1`)
      this.set(Number(rows[0]?.block ?? 0))
    },
  })
}
