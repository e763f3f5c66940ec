import { type Hex, hashStruct, hashTypedData, type TypedDataDomain } from "viem"
import { EIP712_TYPES, type Lease, type MessageName, type MessageOf, type Verdict } from "./types.ts"

// viem's inference cannot follow a generic primary type, so the names go in as plain strings; the vectors and
// the Solidity tests hold these hashes to the structs.
const TYPES: Record<string, { name: string; type: string }[]> = Object.fromEntries(
  Object.entries(EIP712_TYPES).map(([name, fields]) => [name, [...fields]]),
)

/** EIP-712 hashStruct: what `leaseHash` and verdict hashes are, independent of the domain. */
export function structHash<K extends MessageName>(type: K, message: MessageOf[K]): Hex {
  const primaryType: string = type
  return hashStruct({ primaryType, types: TYPES, data: { ...message } })
}

/** What a key signs. */
export function messageDigest<K extends MessageName>(domain: TypedDataDomain, type: K, message: MessageOf[K]): Hex {
  const primaryType: string = type
  return hashTypedData({ domain, primaryType, types: TYPES, message: { ...message } })
}

export function leaseHash(lease: Lease): Hex {
  return structHash("Lease", lease)
}

export function verdictHash(verdict: Verdict): Hex {
  return structHash("Verdict", verdict)
}
