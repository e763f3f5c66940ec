import { type Address, type Hex, isAddressEqual } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"
import { seatOf } from "./panel.ts"

export const JURY_SEATS = 21
/** How many seats must have revealed for a verdict to count. */
export const JURY_QUORUM = 8

export function jurySeat(seed: Hex, place: number, seatCount: number): number {
  return seatOf(hashWords(TAGS.jury, seed, place), seatCount)
}

export function jurySeats(seed: Hex, seatCount: number): number[] {
  return Array.from({ length: JURY_SEATS }, (_, j) => jurySeat(seed, j, seatCount))
}

export type Juror = { readonly account: Address; readonly weight: number }

/** An owner votes once, with the weight of its seats; the executor and that sample's verifiers do not vote. */
export function jurors(owners: readonly Address[], excluded: readonly Address[]): Juror[] {
  const weights = new Map<string, { account: Address; weight: number }>()
  for (const account of owners) {
    if (excluded.some((other) => isAddressEqual(other, account))) continue
    const juror = weights.get(account.toLowerCase()) ?? { account, weight: 0 }
    juror.weight += 1
    weights.set(account.toLowerCase(), juror)
  }
  return [...weights.values()]
}
