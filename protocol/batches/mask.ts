/** Masks of shards: bit b stands for shard firstShard + b of the batch (R5). */

export function bitsOf(mask: bigint): number[] {
  const bits: number[] = []
  for (let bit = 0, rest = mask; rest > 0n; bit++, rest >>= 1n) if ((rest & 1n) === 1n) bits.push(bit)
  return bits
}

export function maskOf(bits: Iterable<number>): bigint {
  let mask = 0n
  for (const bit of bits) mask |= 1n << BigInt(bit)
  return mask
}

export function popCount(mask: bigint): number {
  return bitsOf(mask).length
}
