import { type Address, getAddress } from "viem"
import { CodedError } from "../errors/codedError.ts"
import { checkUint } from "../hashing/uint.ts"
import { MAX_BATCH_SHARDS } from "../jobs/terms.ts"

/** `worker 160 | units 32 | mask of shards 64`: the part of a batch that one worker made (R5). */
export type Range = { readonly worker: Address; readonly units: number; readonly mask: bigint }

/** `verifier 160 | verdicts 32 | units 64`: what one verifier did for a batch (R24). */
export type VerifierTotal = { readonly verifier: Address; readonly count: number; readonly units: bigint }

export type PackedErrorDetail =
  | { code: "E_RANGES_COUNT"; count: number; message: string }
  | { code: "E_RANGES_ORDER"; index: number; message: string }
  | { code: "E_RANGES_MASK"; index: number; message: string }
  | { code: "E_VERIFIERS_ORDER"; index: number; message: string }
export class PackedError extends CodedError<PackedErrorDetail> {}

const ACCOUNT_SHIFT = 96n
const LOW_64 = (1n << 64n) - 1n
const LOW_32 = (1n << 32n) - 1n

export function packRange({ worker, units, mask }: Range): bigint {
  checkUint("units", 32, units)
  checkUint("mask", 64, mask)
  return (BigInt(worker) << ACCOUNT_SHIFT) | (BigInt(units) << 64n) | mask
}

export function unpackRange(word: bigint): Range {
  return { worker: accountOf(word), units: Number((word >> 64n) & LOW_32), mask: word & LOW_64 }
}

export function packVerifier({ verifier, count, units }: VerifierTotal): bigint {
  checkUint("count", 32, count)
  checkUint("units", 64, units)
  return (BigInt(verifier) << ACCOUNT_SHIFT) | (BigInt(count) << 64n) | units
}

export function unpackVerifier(word: bigint): VerifierTotal {
  return { verifier: accountOf(word), count: Number((word >> 64n) & LOW_32), units: word & LOW_64 }
}

export type WorkedShard = { readonly shard: number; readonly worker: Address; readonly units: bigint }

/** One word a worker, ascending, for the shards of one batch. */
export function packRanges(firstShard: number, shards: readonly WorkedShard[]): bigint[] {
  const ranges = new Map<string, { worker: Address; units: bigint; mask: bigint }>()
  for (const { shard, worker, units } of shards) {
    const range = ranges.get(worker.toLowerCase()) ?? { worker, units: 0n, mask: 0n }
    range.units += units
    range.mask |= 1n << BigInt(shard - firstShard)
    ranges.set(worker.toLowerCase(), range)
  }
  const words = [...ranges.values()].map(({ worker, units, mask }) => packRange({ worker, units: Number(units), mask }))
  return words.sort(ascending)
}

/** What `commitBatch` insists on: at most 64 ranges, ascending by worker, masks that are not empty and do not overlap. */
export function parseRanges(words: readonly bigint[]): Range[] {
  if (words.length === 0 || words.length > MAX_BATCH_SHARDS) {
    const message = `a batch has 1 to ${MAX_BATCH_SHARDS} ranges, not ${words.length}`
    throw new PackedError({ code: "E_RANGES_COUNT", count: words.length, message })
  }
  let seen = 0n
  return words.map((word, index) => {
    const range = unpackRange(word)
    if (index > 0 && word >> ACCOUNT_SHIFT <= words[index - 1]! >> ACCOUNT_SHIFT) {
      throw new PackedError({ code: "E_RANGES_ORDER", index, message: `range ${index} does not ascend by worker` })
    }
    if (range.mask === 0n || (range.mask & seen) !== 0n) {
      const message = `range ${index} has no shard of its own`
      throw new PackedError({ code: "E_RANGES_MASK", index, message })
    }
    seen |= range.mask
    return range
  })
}

export type GivenVerdict = { readonly verifier: Address; readonly units: number }

/** One word a verifier, ascending; SILENT leaves have no verifier and no word. */
export function packVerifiers(verdicts: readonly GivenVerdict[]): bigint[] {
  const totals = new Map<string, { verifier: Address; count: number; units: bigint }>()
  for (const { verifier, units } of verdicts) {
    const total = totals.get(verifier.toLowerCase()) ?? { verifier, count: 0, units: 0n }
    total.count += 1
    total.units += BigInt(units)
    totals.set(verifier.toLowerCase(), total)
  }
  return [...totals.values()].map(packVerifier).sort(ascending)
}

export function parseVerifiers(words: readonly bigint[]): VerifierTotal[] {
  return words.map((word, index) => {
    if (index > 0 && word >> ACCOUNT_SHIFT <= words[index - 1]! >> ACCOUNT_SHIFT) {
      throw new PackedError({ code: "E_VERIFIERS_ORDER", index, message: `verifier ${index} does not ascend` })
    }
    return unpackVerifier(word)
  })
}

function accountOf(word: bigint): Address {
  return getAddress(`0x${(word >> ACCOUNT_SHIFT).toString(16).padStart(40, "0")}`)
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
