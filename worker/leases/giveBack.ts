import type { TypedDataDomain } from "viem"
import { type Release, type Signer, signMessage } from "#protocol"
import { isTransient, type Peer } from "../api/peer.ts"
import { submitRelease } from "../api/routes.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Journal } from "../journal/journal.ts"
import { type LeaseRecord, recordHash } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import { retry } from "../support/retry.ts"

export type GiveBackDeps = {
  journal: Journal
  records: RecordStore
  peer: Peer
  signer: Signer
  domain: TypedDataDomain
  now: () => bigint
}

/**
 * Ends a lease by the worker's signed release (R14), so that the shard goes to another at once instead of when the
 * lease runs out. Why it could not be kept goes along: it is what `why task` shows.
 */
export async function giveBack(
  { journal, records, peer, signer, domain, now }: GiveBackDeps,
  { record, cause }: { record: LeaseRecord; cause: unknown },
): Promise<void> {
  const { lease } = record.bundle
  const leaseHash = recordHash(record)
  if (now() >= lease.expiry) {
    await records.put({ ...record, state: "lost", changedAt: Number(now()) })
    return
  }
  const { at } = await journal.claimRelease({ leaseHash, at: now(), expiry: lease.expiry })
  await records.put({ ...record, state: "released", changedAt: Number(now()) })
  const release: Release = { leaseHash, at }
  const signature = await signMessage(signer, { domain, type: "Release", message: release })
  // Its own limit, not the signal of whoever gave up: a worker that is told to stop gives its lease back first.
  const signal = AbortSignal.timeout(10_000)
  const submission = { leaseHash, release, signature, code: codeOf(cause), text: plain(textOf(cause)), signal }
  await retry(() => submitRelease(peer, submission), {
    signal,
    attempts: 4,
    baseMs: 300,
    maxMs: 2000,
    retryable: isTransient,
  })
}

/** The schema takes no control characters and 500 of the others. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f]+/g, " ").slice(0, 500)
}
