import type { Hex } from "viem"
import { CodedError } from "../errors/codedError.ts"
import { keccakHex } from "./keccak.ts"
import { checkUint } from "./uint.ts"

/**
 * `abi.encode` gives every static value one word of 32 bytes, so the hashes of leaves, nodes and draws are put together
 * directly: `encodeAbiParameters` would cost several times what the keccak does. A test holds the two equal.
 * A word is an integer, an address (20 bytes, right-aligned) or a bytes32.
 */
export type Word = bigint | number | Hex

export type WordErrorDetail = { code: "E_WORD_MALFORMED"; value: string; message: string }
export class WordError extends CodedError<WordErrorDetail> {}

const WORD = 32
const MAX_SAFE_UINT64 = 1n << 64n
const HEX_WORD = /^0x([0-9a-fA-F]{64}|[0-9a-fA-F]{40})$/

/** Writes one word at `offset` into zeroed bytes. */
export function writeWord(target: Buffer, offset: number, word: Word): void {
  if (typeof word === "string") {
    // Buffer.write stops silently at the first bad digit; a hash of half a value must not come out of here.
    if (!HEX_WORD.test(word)) {
      throw new WordError({
        code: "E_WORD_MALFORMED",
        value: word,
        message: `${word} is neither bytes32 nor an address`,
      })
    }
    const bytes = (word.length - 2) / 2
    target.write(word.slice(2), offset + WORD - bytes, bytes, "hex")
    return
  }
  checkUint("word", 256, word)
  const value = BigInt(word)
  if (value < MAX_SAFE_UINT64) target.writeBigUInt64BE(value, offset + 24)
  else target.write(value.toString(16).padStart(64, "0"), offset, WORD, "hex")
}

export function encodeWords(words: readonly Word[]): Buffer {
  const bytes = Buffer.alloc(words.length * WORD)
  for (let i = 0; i < words.length; i++) writeWord(bytes, i * WORD, words[i]!)
  return bytes
}

/** `H(TAG, words...)` = keccak256(abi.encode(TAG, words...)), for static types. */
export function hashWords(tag: Hex, ...words: readonly Word[]): Hex {
  return keccakHex(encodeWords([tag, ...words]))
}
