import type { Hex } from "viem"
import { createPermutation } from "./feistel.ts"

const BPS = 10_000

/** k = max(1, ceil(p N)), p in basis points. */
export function sampleCount(auditRate: number, size: number): number {
  return Math.max(1, Math.ceil((auditRate * size) / BPS))
}

export type SamplesParams = { seed: Hex; auditRate: number; size: number }

/** The drawn positions in sample order, all distinct (R19). */
export function samplePositions({ seed, auditRate, size }: SamplesParams): number[] {
  const permute = createPermutation(seed, size)
  return Array.from({ length: sampleCount(auditRate, size) }, (_, i) => permute(i))
}
