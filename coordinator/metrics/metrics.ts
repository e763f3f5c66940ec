import { sql } from "drizzle-orm"
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client"
import type { Db } from "../store/database.ts"
import { query } from "../store/rows.ts"
import { addChainGauges } from "./chainGauges.ts"

export type Metrics = {
  registry: Registry
  request: Histogram<"method" | "route" | "status">
  leases: Counter
  tasksLeased: Counter
  receipts: Counter
  tasksReceived: Counter
  expired: Counter
  released: Counter
  jobsSubmitted: Counter
  artifactBytes: Counter<"way">
}

export type CreateMetricsDeps = { db: Db; free: () => number; now: () => number }

/** Counters of what this process did, and gauges that are read from the database when somebody scrapes. */
export function createMetrics({ db, free, now }: CreateMetricsDeps): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  new Gauge({
    name: "assay_shards",
    help: "Shards by state",
    labelNames: ["state"] as const,
    registers,
    async collect() {
      this.reset()
      const rows = await query<{ state: string; n: number }>(
        db,
        sql`SELECT state, count(*)::int AS n FROM shards GROUP BY state`,
      )
      for (const { state, n } of rows) this.set({ state }, n)
    },
  })
  new Gauge({
    name: "assay_jobs",
    help: "Jobs by state",
    labelNames: ["state"] as const,
    registers,
    async collect() {
      this.reset()
      const rows = await query<{ state: string; n: number }>(
        db,
        sql`SELECT state, count(*)::int AS n FROM jobs GROUP BY state`,
      )
      for (const { state, n } of rows) this.set({ state }, n)
    },
  })
  new Gauge({
    name: "assay_workers_online",
    help: "Workers heard of within the last minute",
    registers,
    async collect() {
      const rows = await query<{ n: number }>(
        db,
        sql`SELECT count(*)::int AS n FROM workers WHERE last_seen > now() - interval '60 seconds'`,
      )
      this.set(rows[0]?.n ?? 0)
    },
  })
  new Gauge({
    name: "assay_workers_waiting",
    help: "Workers that wait for a shard at this replica",
    registers,
    collect() {
      this.set(free())
    },
  })
  new Gauge({
    name: "assay_chain_time_seconds",
    help: "Chain time",
    registers,
    collect() {
      this.set(now())
    },
  })
  addChainGauges(registry, db)
  return {
    registry,
    request: new Histogram({
      name: "assay_http_request_duration_seconds",
      help: "HTTP requests; long polls count their wait",
      labelNames: ["method", "route", "status"] as const,
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 30],
      registers,
    }),
    leases: counter("assay_leases_granted_total", "Leases granted"),
    tasksLeased: counter("assay_tasks_leased_total", "Tasks in granted leases"),
    receipts: counter("assay_receipts_stored_total", "Receipts stored"),
    tasksReceived: counter("assay_tasks_received_total", "Tasks in stored receipts"),
    expired: counter("assay_leases_expired_total", "Leases that ran out without a receipt"),
    released: counter("assay_leases_released_total", "Leases given back"),
    jobsSubmitted: counter("assay_jobs_submitted_total", "Submissions accepted"),
    artifactBytes: new Counter({
      name: "assay_artifact_bytes_total",
      help: "Bytes of artifacts that came in and went out over HTTP",
      labelNames: ["way"] as const,
      registers,
    }),
  }
}
