import type { AuditBundle, SignedVerdict } from "#protocol"
import { isTransient } from "../api/peer.ts"
import { submitVerdicts } from "../api/routes.ts"
import { retry } from "../support/retry.ts"
import { checkAudit } from "./checkAudit.ts"
import { type AuditDeps, computeVerdicts } from "./computeVerdicts.ts"
import { giveSecondVerdicts } from "./secondAudit.ts"

/** R21: recomputes the drawn tasks without knowing the answers, and signs what it found. */
export async function giveVerdicts(
  deps: AuditDeps,
  bundle: AuditBundle,
  signal: AbortSignal,
): Promise<SignedVerdict[]> {
  const { peer, events } = deps
  const { batchId, samples } = bundle
  // Before anything is signed: a verdict that differs from its leaf opens a dispute, and silence would lose it.
  await deps.verdictStand.given(bundle)
  if (bundle.round !== undefined) return giveSecondVerdicts(deps, bundle, { round: bundle.round, signal })
  const startedAt = performance.now()
  await checkAudit(deps, bundle)
  const verdicts = await computeVerdicts(deps, bundle, signal)
  deps.calls.given(bundle, verdicts)
  const answer = await retry(() => submitVerdicts(peer, { batchId, verdicts, signal }), {
    signal,
    attempts: 6,
    baseMs: 300,
    maxMs: 5000,
    retryable: isTransient,
  })
  events.emit({ kind: "audited", batchId, samples: answer.stored, ms: performance.now() - startedAt })
  const committed = await deps.batches.batch(batchId)
  if (committed) deps.defence.given({ committed, terms: bundle.terms, peer, verdicts })
  for (const { sample, code } of answer.refused) {
    events.emit({ kind: "refused", code, text: `the verdict on sample ${sample} of ${samples.length} was refused` })
  }
  return verdicts
}
