import type { Address, TypedDataDomain } from "viem"

/** What is about work: leases, receipts, releases, verdicts, requests. */
export function marketDomain({ chainId, market }: { chainId: number; market: Address }): TypedDataDomain {
  return { name: "Assay", version: "1", chainId, verifyingContract: market }
}

/** What is about keys. */
export function registryDomain({ chainId, registry }: { chainId: number; registry: Address }): TypedDataDomain {
  return { name: "Assay Registry", version: "1", chainId, verifyingContract: registry }
}
