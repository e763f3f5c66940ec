import { type Address, encodeAbiParameters, type Hex, keccak256 } from "viem"

/** The Solidity structs that calls about a batch resubmit (R24a). */
export type BatchStruct = {
  readonly jobId: bigint
  readonly number: number
  readonly firstShard: number
  readonly root: Hex
  readonly commitBlock: bigint
  readonly committer: Address
  readonly backer: Address
  readonly ranges: readonly bigint[]
}

export type AttestationStruct = {
  readonly seed: Hex
  readonly verdictRoot: Hex
  readonly verifiers: readonly bigint[]
  readonly silentRanges: bigint
}

const BATCH = {
  type: "tuple",
  components: [
    { name: "jobId", type: "uint192" },
    { name: "number", type: "uint32" },
    { name: "firstShard", type: "uint32" },
    { name: "root", type: "bytes32" },
    { name: "commitBlock", type: "uint64" },
    { name: "committer", type: "address" },
    { name: "backer", type: "address" },
    { name: "ranges", type: "uint256[]" },
  ],
} as const

const ATTESTATION = {
  type: "tuple",
  components: [
    { name: "seed", type: "bytes32" },
    { name: "verdictRoot", type: "bytes32" },
    { name: "verifiers", type: "uint256[]" },
    { name: "silentRanges", type: "uint64" },
  ],
} as const

const LOW_192 = (1n << 192n) - 1n

export function batchHash(batch: BatchStruct): Hex {
  return keccak256(encodeAbiParameters([BATCH], [batch]))
}

/** What the batch's slot holds while it is Committed, and for good where it ends before an attestation. */
export function committedDigest(batch: BatchStruct): bigint {
  return BigInt(batchHash(batch)) & LOW_192
}

export function drawnDigest(batch: BatchStruct, seed: Hex): bigint {
  return low192(encodeAbiParameters([{ type: "bytes32" }, { type: "bytes32" }], [batchHash(batch), seed]))
}

export function attestedDigest(batch: BatchStruct, attestation: AttestationStruct): bigint {
  return low192(encodeAbiParameters([{ type: "bytes32" }, ATTESTATION], [batchHash(batch), attestation]))
}

function low192(encoded: Hex): bigint {
  return BigInt(keccak256(encoded)) & LOW_192
}
