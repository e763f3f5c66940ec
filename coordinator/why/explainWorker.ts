import { eq } from "drizzle-orm"
import type { Address } from "viem"
import { isReasonCode, type Params, reasonOf } from "#protocol"
import type { Db } from "../store/database.ts"
import { workers } from "../store/schema.ts"
import type { ChainView } from "../workers/chainView.ts"
import { whyRefused } from "../workers/hello.ts"
import { isOnline, viewWorker } from "../workers/viewWorkers.ts"
import { type Explained, explained } from "./explainJob.ts"

export type ExplainWorkerDeps = { db: Db; view: ChainView; params: Params }

/** Why a worker gets, or does not get, work. */
export async function explainWorker(
  { db, view, params }: ExplainWorkerDeps,
  account: Address,
): Promise<Explained & { state: string }> {
  const [row] = await db.select().from(workers).where(eq(workers.account, account))
  if (!row) return { ...explained("WORKER_UNKNOWN"), state: "unknown to this coordinator" }
  const load = await viewWorker(db, account)
  const fact = load ? `${load.running} leased, ${load.waiting} delivered and not final` : undefined
  if (!isOnline(row)) return { ...explained("WORKER_OFFLINE", `since ${row.lastSeen.toISOString()}`), state: "offline" }
  const [now] = await whyRefused({ view, params }, row)
  // A reason of the moment (collateral for the jobs there are, limits) stands in the row; a general one is asked anew.
  const reason = now ?? row.refused[0]
  if (reason && isReasonCode(reason.code)) {
    return { code: reason.code, rule: reasonOf(reason.code).rule, text: reason.text, state: "refused" }
  }
  if (load && load.running > 0) return { ...explained("WORKER_RUNNING", fact), state: "running" }
  if (load && load.waiting > 0) return { ...explained("WORKER_WAITING", fact), state: "waiting" }
  return { ...explained("WORKER_READY"), state: "ready" }
}
