import type { Address, TypedDataDomain } from "viem"
import { type AuditBundle, type SignedVerdict, type Signer, signMessage, type Verdict, verdictHash } from "#protocol"
import { isTransient } from "../api/peer.ts"
import { submitVerdicts } from "../api/routes.ts"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Events } from "../events.ts"
import type { Journal } from "../journal/journal.ts"
import { retry } from "../support/retry.ts"
import { checkAudit } from "./checkAudit.ts"
import type { VerdictDefence } from "./defendVerdicts.ts"
import { type RecomputeDeps, recompute } from "./recompute.ts"

export type AuditDeps = RecomputeDeps & {
  chain: Chain
  account: Address
  signer: Signer
  domain: TypedDataDomain
  journal: Journal
  events: Events
  defence: VerdictDefence
  batches: BatchBook
  now: () => bigint
}

/** R21: recomputes the drawn tasks without knowing the answers, and signs what it found. */
export async function giveVerdicts(
  deps: AuditDeps,
  bundle: AuditBundle,
  signal: AbortSignal,
): Promise<SignedVerdict[]> {
  const { peer, events } = deps
  const { batchId, samples } = bundle
  const startedAt = performance.now()
  await checkAudit(deps, bundle)
  const verdicts = await computeVerdicts(deps, bundle, signal)
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

async function computeVerdicts(deps: AuditDeps, bundle: AuditBundle, signal: AbortSignal): Promise<SignedVerdict[]> {
  const { hasher, account, signer, domain, journal, now } = deps
  const { batchId, samples, spec, inputs } = bundle
  const verifier = account.toLowerCase() as Address
  const tasks = samples.map(({ taskIndex, salt, inputCommitment }) => ({ index: taskIndex, salt, inputCommitment }))
  const verdicts: Promise<SignedVerdict>[] = []
  for await (const { units, outputs, digest } of recompute(deps, { spec, inputs, tasks, signal })) {
    const { sample, position, salt } = samples[verdicts.length]!
    const sign = async (): Promise<SignedVerdict> => {
      const key = { verifier, batchId, position }
      const hashes = await hasher.run("verdict", { salt, result: { outputs, digests: digest }, key })
      const verdict: Verdict = { batchId, sample, position, verifier, units, ...hashes }
      await journal.claimVerdict({ batchId, sample, hash: verdictHash(verdict), at: now() })
      return { verdict, signature: await signMessage(signer, { domain, type: "Verdict", message: verdict }) }
    }
    const signing = sign()
    signing.catch(() => undefined) // thrown again below
    verdicts.push(signing)
  }
  return await Promise.all(verdicts)
}
