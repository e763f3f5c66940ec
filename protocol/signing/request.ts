import type { Hex } from "viem"
import { keccakHex } from "../hashing/words.ts"

/** The `bodyHash` of a signed HTTP request: over the raw bytes as sent, before any parsing. */
export function requestBodyHash(body: Uint8Array | undefined): Hex {
  return keccakHex(body ?? new Uint8Array())
}
