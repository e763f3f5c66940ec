import { encodeAbiParameters, type Hex, keccak256 } from "viem"
import { TAGS } from "../hashing/tags.ts"

/** R25: what a seat can run. Memory goes in tiers, so that seats of one job form few pools. */
export const PROFILES = ["exact-cpu-1", "tolerant-1"] as const
export type Profile = (typeof PROFILES)[number]
export const MEMORY_TIERS = [2, 8, 32, 128] as const
export type MemoryTier = (typeof MEMORY_TIERS)[number]

export function capabilityOf(profile: Profile, memoryGiB: MemoryTier): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: "bytes32" }, { type: "string" }, { type: "uint32" }],
      [TAGS.capability, profile, memoryGiB],
    ),
  )
}

/** The profile and tier behind a capability, or undefined for one that this version does not know. */
export function describeCapability(capability: Hex): { profile: Profile; memoryGiB: MemoryTier } | undefined {
  for (const profile of PROFILES) {
    for (const memoryGiB of MEMORY_TIERS) {
      if (capabilityOf(profile, memoryGiB) === capability.toLowerCase()) return { profile, memoryGiB }
    }
  }
  return undefined
}
