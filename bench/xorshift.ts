/** A fixed sequence of whole numbers from -2^31 to 2^31 (Marsaglia's xorshift32); `seed` is not 0. */
export function xorshift(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  }
}
