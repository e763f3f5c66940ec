import type { Tensor } from "#protocol"

/**
 * Additions of two numbers of up to three digits as tokens: `123+045=8610`, zero-padded, the answer from its last digit
 * on, as people add on paper. The network reads all but the last token and says, at the equals sign and the first digits
 * of the answer, which digit comes next.
 */

export const VOCABULARY = "0123456789+="
const DIGITS = 3
export const ANSWER = DIGITS + 1
/** Tokens that the network reads: both numbers, their signs, and the answer but for its last digit. */
export const LENGTH = 2 * (DIGITS + 1) + ANSWER - 1
const NUMBERS = 10 ** DIGITS
/** All pairs of numbers. */
export const PAIRS = NUMBERS ** 2

export type Addition = { readonly a: number; readonly b: number }

export function textOf({ a, b }: Addition): string {
  const padded = (value: number, digits: number) => String(value).padStart(digits, "0")
  return `${padded(a, DIGITS)}+${padded(b, DIGITS)}=${[...padded(a + b, ANSWER)].reverse().join("")}`
}

/** Tokens uint8 (additions, LENGTH) and the digits of the answers uint8 (additions, ANSWER). */
export function encodeAdditions(additions: readonly Addition[]): { tokens: Tensor; answers: Tensor } {
  const rows = additions.map((addition) => [...textOf(addition)].map((token) => VOCABULARY.indexOf(token)))
  const column = (width: number, cut: (row: readonly number[]) => readonly number[]): Tensor => ({
    dtype: "uint8",
    dims: [rows.length, width],
    data: Uint8Array.from(rows.flatMap(cut)),
  })
  return { tokens: column(LENGTH, (row) => row.slice(0, LENGTH)), answers: column(ANSWER, (row) => row.slice(-ANSWER)) }
}

/** So many pairs after the first `skipped` of one fixed shuffle of all pairs: ranges that do not overlap share none. */
export function drawAdditions(skipped: number, count: number): Addition[] {
  return Array.from({ length: count }, (_, i) => {
    const place = shuffled(skipped + i)
    return { a: Math.floor(place / NUMBERS), b: place % NUMBERS }
  })
}

/** A permutation of 0 .. PAIRS - 1: four rounds of a Feistel network whose halves are numbers below 1000. */
function shuffled(place: number): number {
  let [left, right] = [Math.floor(place / NUMBERS), place % NUMBERS]
  for (let round = 1; round <= 4; round++) {
    const mixed = Math.imul(right + 0x9e3779b1 * round, 0x85ebca6b) >>> 0
    const scattered = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35) >>> 0
    ;[left, right] = [right, (left + ((scattered >>> 8) % NUMBERS)) % NUMBERS]
  }
  return left * NUMBERS + right
}
