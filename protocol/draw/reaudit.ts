import { type Address, type Hex, isAddressEqual } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"
import { CANDIDATES, seatOf } from "./panel.ts"

/** How many seats are looked at for the re-auditors of a verdict. */
const REAUDIT_SEATS = 16
const BPS = 10_000

export type ReauditParams = {
  /** A round's seed, from after the attestation. */
  seed: Hex
  batchId: bigint
  sample: number
}

/** R22: whether a second seed draws the verdict on a sample for a second audit; `reauditRate` is p_v in basis points. */
export function isReaudited({ seed, batchId, sample, reauditRate }: ReauditParams & { reauditRate: number }): boolean {
  return seatOf(hashWords(TAGS.reaudit, seed, batchId, sample), BPS) < reauditRate
}

/** Seats that may audit a sample again, in the order of the draw. */
export function reauditSeats({ seed, batchId, sample }: ReauditParams, seatCount: number): number[] {
  return Array.from({ length: REAUDIT_SEATS }, (_, j) =>
    seatOf(hashWords(TAGS.reauditor, seed, batchId, sample, j), seatCount),
  )
}

export type ReauditorsParams = {
  /** Owners of `reauditSeats` at the commit block. */
  owners: readonly Address[]
  executor: Address
  /** Who gave the verdict that is audited again. */
  first: Address
}

/** The first three that are neither the executor's nor the first verifier's; one owner may stand there more than once. */
export function reauditors({ owners, executor, first }: ReauditorsParams): Address[] {
  return owners
    .filter((owner) => !isAddressEqual(owner, executor) && !isAddressEqual(owner, first))
    .slice(0, CANDIDATES)
}
