import type { TypedDataDomain } from "viem"
import { encodeBundle } from "#engine"
import { type Receipt, type Signer, signMessage } from "#protocol"
import type { ArtifactCache } from "../artifacts/cache.ts"
import { workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { Journal } from "../journal/journal.ts"
import type { SignedRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import type { ComputedShard } from "./computeShard.ts"

export type SignReceiptDeps = {
  hasher: Hasher
  cache: ArtifactCache
  journal: Journal
  records: RecordStore
  signer: Signer
  domain: TypedDataDomain
  now: () => bigint
}

/**
 * Outputs, then the record, then the journal, then the signature: after a crash at any point the worker either has
 * signed nothing, or still has all that its signature is about.
 */
export async function signReceipt(deps: SignReceiptDeps, computed: ComputedShard): Promise<SignedRecord> {
  const { hasher, cache, journal, records, now } = deps
  const { prepared } = computed
  const { bundle } = prepared.record
  const { lease, terms } = bundle
  const leaves = await computed.leaves
  const outputs = await cache.store(encodeBundle(computed.outputs))
  const worker = lease.worker
  const root = await hasher.run("shardRoot", {
    jobId: lease.jobId,
    shardSize: terms.shardSize,
    leaves: leaves.map(({ digestPart, ...leaf }) => ({ ...leaf, worker })),
  })
  if (now() >= lease.expiry) {
    // The coordinator may have leased the shard to another by now; two receipts for it help nobody.
    throw workerError("E_LEASE_EXPIRED", "the lease ran out before the shard was done")
  }
  const receipt: Receipt = { leaseHash: prepared.leaseHash, shardRoot: root.hash, units: root.units }
  const record: SignedRecord = {
    ...prepared.record,
    state: "signed",
    result: { leaves, outputs, receipt },
    changedAt: Number(now()),
  }
  await records.put(record)
  await journal.claimReceipt({ ...receipt, expiry: lease.expiry })
  return record
}

/** Deterministic, so that it need not be kept: the same receipt has the same signature after a restart. */
export function receiptSignature({ signer, domain }: Pick<SignReceiptDeps, "signer" | "domain">, receipt: Receipt) {
  return signMessage(signer, { domain, type: "Receipt", message: receipt })
}
