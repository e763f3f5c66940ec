import type { TypedDataDomain } from "viem"
import type { BatchShard, Signer } from "#protocol"
import { receiptSignature } from "../leases/signReceipt.ts"
import type { SignedRecord } from "../records/record.ts"

/** A record as the evidence that it is: lease, receipt, signatures, leaves. */
export async function batchShard(
  deps: { signer: Signer; domain: TypedDataDomain },
  { bundle, result }: SignedRecord,
): Promise<BatchShard> {
  const { lease, signature } = bundle
  return {
    shard: lease.shard,
    lease,
    leaseSignature: signature,
    receipt: result.receipt,
    receiptSignature: await receiptSignature(deps, result.receipt),
    leaves: result.leaves,
  }
}
