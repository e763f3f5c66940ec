import type { Hex } from "viem"
import { isTransient } from "../api/peer.ts"
import { askForAudit } from "../api/routes.ts"
import { codeOf, textOf } from "../errors.ts"
import { pause } from "../support/sleep.ts"
import type { AuditDeps } from "./computeVerdicts.ts"
import { giveVerdicts } from "./giveVerdicts.ts"

const WAIT_SECONDS = 20
const RETRY_MS = 1500

export type AuditLoopParams = {
  stopping: AbortSignal
  aborting: AbortSignal
  /** Models that are here already, so that the peer can prefer them. */
  cachedModels: () => Hex[]
}

/** Asks the coordinator for audits, by long poll: a verifier needs no open port and no extra step. */
export async function auditLoop(deps: AuditDeps, { stopping, aborting, cachedModels }: AuditLoopParams): Promise<void> {
  const { peer, events } = deps
  while (!stopping.aborted) {
    try {
      const bundle = await askForAudit(peer, { wait: WAIT_SECONDS, cachedModels: cachedModels(), signal: stopping })
      events.resume("audit")
      if (bundle) await giveVerdicts(deps, bundle, aborting)
    } catch (error) {
      if (stopping.aborted && !aborting.aborted) break
      events.wait("audit", "refused", codeOf(error), `audits: ${textOf(error)}`)
      await pause(isTransient(error) ? RETRY_MS : 2 * RETRY_MS, stopping)
    }
  }
}
