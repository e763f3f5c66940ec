import { z } from "zod"
import { type Batch, type BatchLayout, batchLayout, type Terms, TermsSchema, unpackRange } from "#protocol"
import type { batches } from "../store/schema.ts"

export type BatchRow = typeof batches.$inferSelect

/** Terms as the `jobs` table keeps them: the JSON form of messages. */
export function parseTerms(json: unknown): Terms {
  return z.decode(TermsSchema, json as z.input<typeof TermsSchema>)
}

/** The struct that every call about the batch resubmits. */
export function batchStruct(row: BatchRow): Batch {
  return {
    jobId: row.jobId,
    number: row.number,
    firstShard: row.firstShard,
    root: row.root,
    commitBlock: BigInt(row.commitBlock),
    committer: row.committer,
    backer: row.backer,
    ranges: row.ranges.map(BigInt),
  }
}

/** Seed and attestation as far as the chain has them: calls in state Drawn carry the seed alone. */
export function attestationStruct(row: BatchRow) {
  return {
    seed: row.seed ?? ZERO,
    verdictRoot: row.verdictRoot ?? ZERO,
    verifiers: (row.verifiers ?? []).map(BigInt),
    silentRanges: row.silentRanges ?? 0n,
  }
}

const ZERO = `0x${"00".repeat(32)}` as const

export function layoutOf(terms: Terms, { firstShard, mask }: { firstShard: number; mask: bigint }): BatchLayout {
  return batchLayout({ plan: { tasks: terms.tasks, shardSize: terms.shardSize }, firstShard, mask })
}

/** The union of the ranges' masks. */
export function maskOfRanges(words: readonly (bigint | string)[]): bigint {
  return words.reduce((mask: bigint, word) => mask | unpackRange(BigInt(word)).mask, 0n)
}

/** The range that made a shard of the batch. */
export function rangeOfShard(row: Pick<BatchRow, "ranges" | "firstShard">, shard: number): number {
  const bit = 1n << BigInt(shard - row.firstShard)
  return row.ranges.findIndex((word) => (unpackRange(BigInt(word)).mask & bit) !== 0n)
}
