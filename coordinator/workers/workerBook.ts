import { eq, inArray, sql } from "drizzle-orm"
import type { Address } from "viem"
import type { Db } from "../store/database.ts"
import { workers } from "../store/schema.ts"
import type { Refused, WorkerRow } from "./eligibility.ts"

/** How long after its last word a worker counts as online. */
export const ONLINE_MS = 60_000

/** Workers as the database has them, with what every poll touches (last seen, reasons) written in batches. */
export type WorkerBook = {
  get(account: Address): Promise<WorkerRow | undefined>
  /** A row was changed elsewhere. */
  forget(account: Address): void
  seen(account: Address): void
  /** Remembers why a worker gets nothing at the moment; no reasons clear it. */
  note(account: Address, reasons: readonly Refused[]): void
  flush(): Promise<void>
}

const FRESH_MS = 2_000

export function createWorkerBook({ db, clock = Date.now }: { db: Db; clock?: () => number }): WorkerBook {
  const rows = new Map<Address, { until: number; row: Promise<WorkerRow | undefined> }>()
  const touched = new Set<Address>()
  const noted = new Map<Address, string>()
  const changed = new Map<Address, string>()

  return {
    get(account) {
      const known = rows.get(account)
      if (known && known.until > clock()) return known.row
      const row = db
        .select()
        .from(workers)
        .where(eq(workers.account, account))
        .then(([found]) => found)
      rows.set(account, { until: clock() + FRESH_MS, row })
      row.catch(() => rows.delete(account))
      return row
    },
    forget(account) {
      rows.delete(account)
    },
    seen(account) {
      touched.add(account)
    },
    note(account, reasons) {
      const text = JSON.stringify(reasons.map(({ code, text }) => ({ code, text })))
      if (noted.get(account) === text) return
      noted.set(account, text)
      changed.set(account, text)
    },
    async flush() {
      if (touched.size > 0) {
        const some = [...touched]
        touched.clear()
        await db
          .update(workers)
          .set({ lastSeen: new Date(clock()) })
          .where(inArray(workers.account, some))
      }
      for (const [account, text] of changed) {
        changed.delete(account)
        await db
          .update(workers)
          .set({ refused: sql`${text}::jsonb` })
          .where(eq(workers.account, account))
      }
    },
  }
}
