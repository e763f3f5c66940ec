import { isTransient, type Peer } from "../api/peer.ts"
import { submitReceipt } from "../api/routes.ts"
import { uploadOutputs } from "../artifacts/uploadOutputs.ts"
import { codeOf, workerError } from "../errors.ts"
import { recordHash, type SignedRecord } from "../records/record.ts"
import { retry } from "../support/retry.ts"
import { receiptSignature, type SignReceiptDeps } from "./signReceipt.ts"

export type DeliverDeps = SignReceiptDeps & { peer: Peer }
export type DeliverParams = { record: SignedRecord; attempts: number; signal: AbortSignal }

/**
 * Uploads outputs and receipt. Both are idempotent at the coordinator, so a lost answer costs one more upload. A record
 * that cannot be delivered stays signed: it is sent again later, and in the end committed by the worker itself (R18).
 */
export async function deliverResult(deps: DeliverDeps, { record, attempts, signal }: DeliverParams): Promise<void> {
  const { cache, records, peer, now } = deps
  const { receipt, leaves, outputs } = record.result
  const leaseHash = recordHash(record)
  const bytes = await cache.read(outputs)
  if (!bytes)
    throw workerError("E_ARTIFACT_HASH", `the outputs ${outputs} of lease ${leaseHash} are damaged on this disk`)
  const signature = await receiptSignature(deps, receipt)
  const send = async () => {
    await uploadOutputs(deps, { sha256: outputs, bytes, expected: record.bundle.expected, signal })
    await submitReceipt(peer, { leaseHash, receipt, signature, leaves, outputs, signal })
  }
  try {
    await retry(send, { signal, attempts, baseMs: 500, maxMs: 10_000, retryable: isTransient })
  } catch (error) {
    // By our own clock, not by the coordinator's word alone: it must not talk us out of a lease that still runs.
    const over = codeOf(error) === "E_LEASE_ENDED" && now() >= record.bundle.lease.expiry
    if (over && records.get(leaseHash)?.state === "signed") {
      await records.put({ ...record, state: "lost", changedAt: Number(now()) })
    }
    throw error
  }
  // Meanwhile the chain may have moved it further.
  if (records.get(leaseHash)?.state === "signed") {
    await records.put({ ...record, state: "stored", changedAt: Number(now()) })
  }
}
