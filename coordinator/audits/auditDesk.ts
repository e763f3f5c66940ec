import { eq } from "drizzle-orm"
import type { Address } from "viem"
import type { AuditBundle } from "#protocol"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { workers } from "../store/schema.ts"
import { type NextAuditDeps, nextAudit } from "./nextAudit.ts"

export type AuditDeskDeps = NextAuditDeps & { wake: Wake }

export type AskAuditParams = { account: Address; waitMs: number; signal: AbortSignal }

export type AuditDesk = {
  /** The next bundle for a verifier; waits for one, undefined if none came by then. */
  ask(params: AskAuditParams): Promise<AuditBundle | undefined>
}

/** A sample may become free because its verifier let it go, which no topic tells. */
const LOOK_AGAIN_MS = 1_000

/** Where verifiers wait: a draw wakes them, so a bundle reaches an idle verifier in the block of its seed. */
export function createAuditDesk(deps: AuditDeskDeps): AuditDesk {
  return {
    async ask({ account, waitMs, signal }) {
      await touch(deps.db, account)
      const until = Date.now() + waitMs
      const listener = deps.wake.listen(["verdict"])
      try {
        for (;;) {
          const bundle = await nextAudit(deps, { account })
          const leftMs = until - Date.now()
          if (bundle || leftMs <= 0 || signal.aborted) return bundle
          await listener.next(Math.min(leftMs, LOOK_AGAIN_MS), signal)
        }
      } finally {
        listener.close()
      }
    },
  }
}

/** A verifier that polls is there: samples are kept for it first. */
async function touch(db: Db, account: Address): Promise<void> {
  await db.update(workers).set({ lastSeen: new Date() }).where(eq(workers.account, account))
}
