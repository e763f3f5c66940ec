import type { Address, Hex } from "viem"
import { buildTopTree, committedRoot, MAX_BATCH_SHARDS, packRanges } from "#protocol"

/** A shard of which the receipt is stored. */
export type ReadyShard = { shard: number; receivedAtMs: number }

export type ChooseParams = {
  ready: readonly ReadyShard[]
  /** Shards of the job that are queued or leased: their receipts may still come. */
  pending: readonly number[]
  nowMs: number
  maxShards: number
  maxAgeMs: number
}

/**
 * Which shards make the next batch, or none yet. A batch is a window of 64 shards from its first one (R5); it is due
 * when it is full, when its oldest receipt has waited long enough, or when nothing more can come into its window.
 */
export function chooseShards({ ready, pending, nowMs, maxShards, maxAgeMs }: ChooseParams): number[] | undefined {
  const sorted = [...ready].sort((a, b) => a.shard - b.shard)
  const first = sorted[0]
  if (!first) return undefined
  const end = first.shard + MAX_BATCH_SHARDS
  const chosen = sorted.filter(({ shard }) => shard < end).slice(0, Math.min(maxShards, MAX_BATCH_SHARDS))
  const full = chosen.length >= Math.min(maxShards, MAX_BATCH_SHARDS)
  const old = chosen.some(({ receivedAtMs }) => nowMs - receivedAtMs >= maxAgeMs)
  const complete = !pending.some((shard) => shard > first.shard && shard < end)
  return full || old || complete ? chosen.map(({ shard }) => shard) : undefined
}

export type BatchShard = { shard: number; worker: Address; shardRoot: Hex; units: bigint }

export type BuiltBatch = { firstShard: number; root: Hex; ranges: bigint[] }

/** The committed root and the range words of shards whose receipts have been verified (R4, R5). */
export function buildBatch(shards: readonly BatchShard[]): BuiltBatch {
  const sorted = [...shards].sort((a, b) => a.shard - b.shard)
  const firstShard = sorted[0]?.shard
  if (firstShard === undefined) throw new RangeError("a batch without shards")
  const top = buildTopTree(sorted.map(({ shardRoot, units }) => ({ hash: shardRoot, units })))
  return { firstShard, root: committedRoot(top.root), ranges: packRanges(firstShard, sorted) }
}
