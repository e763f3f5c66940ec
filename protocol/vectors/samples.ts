import { type Address, type Hex, keccak256, stringToHex } from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import type { Dtype, Tensor } from "../commitments/tensor.ts"
import { tensorByteLength } from "../commitments/tensor.ts"
import type { Terms } from "../jobs/terms.ts"

/** Everything that the vectors are made of follows from these names: nothing is random, nothing looks special. */
export function bytes32(name: string): Hex {
  return keccak256(stringToHex(`assay vectors: ${name}`))
}

export function signer(name: string): PrivateKeyAccount {
  return privateKeyToAccount(bytes32(`key of ${name}`))
}

/** Lower case, as everywhere outside of what people read. */
export function addressOf(name: string): Address {
  return signer(name).address.toLowerCase() as Address
}

/** Byte i of every sample tensor is (31 i + 7) mod 256, so that the file need not carry the data. */
export function sampleTensor(dtype: Dtype, dims: readonly number[]): Tensor {
  const data = new Uint8Array(tensorByteLength({ dtype, dims })).map((_, i) => (31 * i + 7) % 256)
  return { dtype, dims, data }
}

export const CHAIN_ID = 31_337
export const TOKEN = 10n ** 18n

export const SAMPLE_TERMS: Terms = {
  version: 0,
  kind: 0,
  requester: addressOf("requester"),
  coordinator: addressOf("coordinator"),
  class: 0,
  capability: bytes32("capability"),
  programRoot: bytes32("program root"),
  inputs: bytes32("inputs root"),
  tasks: 26,
  shardSize: 8,
  fee: 3n * TOKEN + 1n,
  maxUnits: 3,
  auditRate: 2000,
  auditRatio: 12_345,
  auditBase: TOKEN / 7n,
  auditBudget: 100_000n * TOKEN,
  coordinatorFee: TOKEN / 20n,
  valueAtRisk: 5n * TOKEN,
  deadline: 1_800_000_000n,
  specHash: bytes32("spec"),
}

export const SAMPLE_PRICES = { minCollateral: TOKEN, colluding: 3333, burnRate: 5000, reauditRate: 1000 }
