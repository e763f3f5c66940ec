import { type Address, isAddressEqual } from "viem"
import type { Peer } from "../api/peer.ts"
import { askForAudit } from "../api/routes.ts"
import type { BatchBook, CommittedBatch } from "../chain/batches.ts"
import { jobOfBatch } from "../chain/batches.ts"
import type { ChainEvent } from "../chain/watch.ts"
import { codeOf, textOf } from "../errors.ts"
import { pause } from "../support/sleep.ts"
import type { AuditDeps } from "./computeVerdicts.ts"
import { readDraw, readSeed, STATE } from "./draw.ts"
import { giveVerdicts } from "./giveVerdicts.ts"

export type OwnBatchAuditsDeps = Omit<AuditDeps, "peer"> & {
  batches: BatchBook
  peerOf: (url: string) => Peer | undefined
}

const RETRY_MS = 2000

/**
 * Audits of batches that workers committed for themselves (R18): nobody calls this verifier, so it reads the draw off
 * the chain and asks at the URL of the event where it is a candidate.
 */
export function createOwnBatchAudits(deps: OwnBatchAuditsDeps, signal: AbortSignal) {
  const following = new Set<bigint>()
  return {
    note(event: ChainEvent): void {
      if (event.eventName !== "BatchCommitted") return
      const { batchId, batch, url } = event.args
      if (url === "" || isAddressEqual(batch.committer, deps.account) || following.has(batchId)) return
      following.add(batchId)
      auditOwnBatch(deps, batchId, signal)
        .catch((error: unknown) => {
          if (!signal.aborted) deps.events.wait("audit", "refused", codeOf(error), `an audit: ${textOf(error)}`)
        })
        .finally(() => following.delete(batchId))
    },
  }
}

async function auditOwnBatch(deps: OwnBatchAuditsDeps, batchId: bigint, signal: AbortSignal): Promise<void> {
  const committed = await deps.batches.batch(batchId)
  const peer = committed && deps.peerOf(committed.url)
  if (!committed || !peer) return
  let drawn: boolean | undefined
  while (!signal.aborted) {
    const { state } = await deps.chain.market.read.batchOf([batchId])
    if (state !== STATE.committed && state !== STATE.drawn) return
    drawn ??= await isCandidate(deps, committed)
    if (drawn === false) return
    if (drawn) await auditOnce({ ...deps, peer }, signal)
    await pause(RETRY_MS, signal)
  }
}

/** Undefined while there is no seed. */
async function isCandidate(deps: OwnBatchAuditsDeps, { batchId, batch }: CommittedBatch): Promise<boolean | undefined> {
  const { chain, batches, account } = deps
  const terms = await batches.terms(jobOfBatch(batchId))
  const seed = (await readSeed(chain, batch)) ?? (await batches.seed(batchId))
  if (!terms || !seed) return undefined
  const draw = await readDraw(chain, { batch, terms, seed })
  for (const sample of draw.positions.keys()) {
    const candidates: Address[] = await draw.candidatesOf(sample)
    if (candidates.some((candidate) => isAddressEqual(candidate, account))) return true
  }
  return false
}

/** The committer may be slow, restarting, or done with our samples: it is asked again until the batch moves on. */
async function auditOnce(deps: AuditDeps, signal: AbortSignal): Promise<void> {
  try {
    const bundle = await askForAudit(deps.peer, { wait: 0, cachedModels: [], signal })
    if (bundle) await giveVerdicts(deps, bundle, signal)
  } catch (error) {
    if (!signal.aborted)
      deps.events.wait("audit", "refused", codeOf(error), `an audit at ${deps.peer.url}: ${textOf(error)}`)
  }
}
