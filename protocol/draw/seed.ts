import type { Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"

/** The seed of one batch, or of one dispute's jury, out of the beacon's (R19): draws never share randomness. */
export function drawSeed(beaconSeed: Hex, id: bigint): Hex {
  return hashWords(TAGS.seed, beaconSeed, id)
}
