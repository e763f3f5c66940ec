import type { Hex } from "viem"
import { keccakLow16 } from "../hashing/keccak.ts"
import { TAGS } from "../hashing/tags.ts"
import { writeWord } from "../hashing/words.ts"
import { ceilLog2 } from "../trees/depth.ts"

const ROUNDS = 4
const MAX_SIZE = 2 ** 32

/** w of R19: the even number of bits >= log2 N, 2 at least. */
export function feistelWidth(size: number): number {
  const bits = Math.max(2, ceilLog2(size))
  return bits + (bits % 2)
}

/**
 * A permutation of 0..size-1 that a contract can evaluate at one point (R19): four Feistel rounds over w bits, walking
 * until the image is below the size. Sample i of a batch is the image of i.
 */
export function createPermutation(seed: Hex, size: number): (index: number) => number {
  if (!Number.isSafeInteger(size) || size < 1 || size > MAX_SIZE) throw new RangeError(`a permutation of ${size}`)
  const half = feistelWidth(size) / 2
  const modulus = 2 ** half
  const words = Buffer.alloc(4 * 32)
  writeWord(words, 0, TAGS.feistel)
  writeWord(words, 32, seed)

  const round = (r: number, right: number): number => {
    words[95] = r
    words.writeUInt32BE(right, 124)
    // half is 16 bits at most, so the mask keeps bits of the last two bytes only.
    return keccakLow16(words) % modulus
  }
  const once = (value: number): number => {
    let left = Math.floor(value / modulus)
    let right = value % modulus
    for (let r = 0; r < ROUNDS; r++) [left, right] = [right, left ^ round(r, right)]
    return left * modulus + right
  }
  return (index) => {
    if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new RangeError(`${index} of ${size}`)
    let value = once(index)
    while (value >= size) value = once(value)
    return value
  }
}
