/** The least d with 2^d >= count; 0 for a count of 0 or 1. The depth of every tree follows from a stated count (R3). */
export function ceilLog2(count: number): number {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`ceilLog2 of ${count}`)
  let depth = 0
  while (2 ** depth < count) depth++
  return depth
}
