import type { Address, Hex } from "viem"

/** R14: the coordinator's promise of one shard to one worker, in chain time. */
export type Lease = {
  readonly jobId: bigint
  readonly shard: number
  readonly worker: Address
  readonly start: bigint
  readonly expiry: bigint
}

/** R14: the worker's word for the leaves of a shard; `shardRoot` and `units` are the node of the shard's tree. */
export type Receipt = { readonly leaseHash: Hex; readonly shardRoot: Hex; readonly units: bigint }

/** R14: a lease given back by its worker. */
export type Release = { readonly leaseHash: Hex; readonly at: bigint }

/** R21: what a drawn verifier found. */
export type Verdict = {
  readonly batchId: bigint
  readonly sample: number
  readonly position: number
  readonly verifier: Address
  readonly units: number
  readonly outputCommitment: Hex
  readonly keyedDigest: Hex
}

/** R27: what alone fixes the trace that a defendant stands by. */
export type SignedTrace = { readonly disputeId: bigint; readonly traceRoot: Hex }

/** An HTTP request; `bodyHash` is the keccak256 of the raw body, of no bytes where there is none. */
export type SignedRequest = {
  readonly method: string
  readonly path: string
  readonly bodyHash: Hex
  readonly nonce: bigint
  readonly expiry: bigint
}

/** Signed by the key: nobody can register a key that is not theirs. */
export type RegisterKey = { readonly account: Address; readonly key: Address }

export const EIP712_TYPES = {
  Lease: [
    { name: "jobId", type: "uint192" },
    { name: "shard", type: "uint32" },
    { name: "worker", type: "address" },
    { name: "start", type: "uint64" },
    { name: "expiry", type: "uint64" },
  ],
  Receipt: [
    { name: "leaseHash", type: "bytes32" },
    { name: "shardRoot", type: "bytes32" },
    { name: "units", type: "uint64" },
  ],
  Release: [
    { name: "leaseHash", type: "bytes32" },
    { name: "at", type: "uint64" },
  ],
  Verdict: [
    { name: "batchId", type: "uint256" },
    { name: "sample", type: "uint32" },
    { name: "position", type: "uint32" },
    { name: "verifier", type: "address" },
    { name: "units", type: "uint32" },
    { name: "outputCommitment", type: "bytes32" },
    { name: "keyedDigest", type: "bytes32" },
  ],
  Trace: [
    { name: "disputeId", type: "uint256" },
    { name: "traceRoot", type: "bytes32" },
  ],
  Request: [
    { name: "method", type: "string" },
    { name: "path", type: "string" },
    { name: "bodyHash", type: "bytes32" },
    { name: "nonce", type: "uint64" },
    { name: "expiry", type: "uint64" },
  ],
  RegisterKey: [
    { name: "account", type: "address" },
    { name: "key", type: "address" },
  ],
} as const

export type MessageOf = {
  Lease: Lease
  Receipt: Receipt
  Release: Release
  Verdict: Verdict
  Trace: SignedTrace
  Request: SignedRequest
  RegisterKey: RegisterKey
}
export type MessageName = keyof MessageOf
