import type { Address, TypedDataDomain } from "viem"
import type { ShardResult } from "#engine"
import { type AuditBundle, type SignedVerdict, type Signer, signMessage, type Verdict, verdictHash } from "#protocol"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import type { VerdictStand } from "../disputes/standByVerdicts.ts"
import type { Events } from "../events.ts"
import type { Journal } from "../journal/journal.ts"
import type { Calls } from "./calls.ts"
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
  calls: Pick<Calls, "given">
  verdictStand: Pick<VerdictStand, "given">
  sender: Sender
  batches: BatchBook
  now: () => bigint
}

/** `onResult` is shown each result once its verdict is signed: tensors are not kept. */
export async function computeVerdicts(
  deps: AuditDeps,
  bundle: AuditBundle,
  signal: AbortSignal,
  onResult?: (index: number, result: ShardResult, verdict: Verdict) => void,
): Promise<SignedVerdict[]> {
  const { hasher, account, signer, domain, journal, now } = deps
  const { batchId, samples, spec, inputs } = bundle
  const { programRoot } = bundle.terms
  const verifier = account.toLowerCase() as Address
  const tasks = samples.map(({ taskIndex, salt, inputCommitment }) => ({ index: taskIndex, salt, inputCommitment }))
  const verdicts: Promise<SignedVerdict>[] = []
  for await (const result of recompute(deps, { spec, programRoot, inputs, tasks, signal })) {
    const { units, outputs, digest } = result
    const index = verdicts.length
    const { sample, position, salt } = samples[index]!
    const sign = async (): Promise<SignedVerdict> => {
      const key = { verifier, batchId, position }
      const hashes = await hasher.run("verdict", { salt, result: { outputs, digests: digest }, key })
      const verdict: Verdict = { batchId, sample, position, verifier, units, ...hashes }
      await journal.claimVerdict({ batchId, sample, hash: verdictHash(verdict), at: now() })
      onResult?.(index, result, verdict)
      return { verdict, signature: await signMessage(signer, { domain, type: "Verdict", message: verdict }) }
    }
    const signing = sign()
    signing.catch(() => undefined) // thrown again below
    verdicts.push(signing)
  }
  return await Promise.all(verdicts)
}
