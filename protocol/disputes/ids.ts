import type { Address, Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"

/** A dispute of a leaf. */
export function gameIdOf(batchId: bigint, position: number, challenger: Address): bigint {
  return BigInt(hashWords(TAGS.game, batchId, position, challenger))
}

/** A dispute of a verdict. */
export function verdictGameIdOf(batchId: bigint, position: number, challenger: Address, verifier: Address): bigint {
  return BigInt(hashWords(TAGS.gameVerdict, batchId, position, challenger, verifier))
}

/** What a finder shows of its find before it opens a dispute, so that nobody can copy it (R12). */
export function findHash(finder: Address, batchId: bigint, position: number, salt: Hex): Hex {
  return hashWords(TAGS.find, finder, batchId, position, salt)
}
