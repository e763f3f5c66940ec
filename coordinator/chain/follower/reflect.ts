import { and, asc, eq, inArray, notInArray, sql } from "drizzle-orm"
import type { Address } from "viem"
import { type BatchState, bitsOf, type ShardState } from "#protocol"
import type { Db } from "../../store/database.ts"
import { batches, jobs, ranges, receipts, shards } from "../../store/schema.ts"

/** What the chain says of one shard; `undefined` where no batch has it. */
export type ShardFate =
  | { state: "committed" | "attested" | "final" | "void"; batchId: bigint; worker: Address }
  /** Free again: `good` work may be committed once more, other work must be done anew. */
  | { state: "free"; batchId: bigint; worker: Address; good: boolean }

export type FateBatch = {
  batchId: bigint
  firstShard: number
  state: BatchState
  /** Committed by a worker for itself (R18). */
  own: boolean
  reclaimed: bigint
  released: bigint
  ranges: readonly { worker: Address; mask: bigint; voided: "worker" | "coordinator" | "nobody" | null }[]
}

/** R18, R24a and R29 as a function: batches in the order of their numbers, a later one overrides an earlier one. */
export function shardFates(rows: readonly FateBatch[]): Map<number, ShardFate> {
  const fates = new Map<number, ShardFate>()
  for (const batch of rows) {
    for (const { worker, mask, voided } of batch.ranges) {
      for (const bit of bitsOf(mask)) {
        const fate = fateOf(batch, 1n << BigInt(bit), worker, voided)
        if (fate) fates.set(batch.firstShard + bit, fate)
      }
    }
  }
  return fates
}

function fateOf(
  batch: FateBatch,
  bit: bigint,
  worker: Address,
  voided: "worker" | "coordinator" | "nobody" | null,
): ShardFate | undefined {
  const at = { batchId: batch.batchId, worker }
  if (voided === "worker" || voided === "nobody") return { ...at, state: "free", good: false }
  if (voided === "coordinator" || batch.state === "withdrawn" || batch.state === "forfeited") {
    // A worker that lost its own batch has nobody to be protected from: its shards are free at once.
    if (batch.own) return { ...at, state: "free", good: true }
    // The batch that reclaimed it speaks for it, and comes later.
    if ((batch.reclaimed & bit) !== 0n) return undefined
    return (batch.released & bit) !== 0n ? { ...at, state: "free", good: true } : { ...at, state: "void" }
  }
  if (batch.state === "final") return { ...at, state: "final" }
  if (batch.state === "attested") return { ...at, state: "attested" }
  return { ...at, state: "committed" }
}

export type ShardNow = { state: ShardState; batchId: bigint | null }
export type ShardChange = { state: ShardState; batchId: bigint | null; worker?: Address | null; again?: boolean }

const ON_CHAIN: ReadonlySet<ShardState> = new Set(["committed", "attested", "final", "void"])

/** How a shard's row must change to say what the chain says; undefined where it does already. */
export function nextShard(now: ShardNow, fate: ShardFate | undefined, hasReceipt: boolean): ShardChange | undefined {
  if (fate && fate.state !== "free") {
    if (now.state === fate.state && now.batchId === fate.batchId) return undefined
    return { state: fate.state, batchId: fate.batchId, worker: fate.worker }
  }
  // Leases and receipts of a shard that no batch has are the other half's business.
  if (!ON_CHAIN.has(now.state)) return undefined
  const reusable = fate === undefined || fate.good
  if (reusable && hasReceipt) return { state: "received", batchId: null }
  return { state: "queued", batchId: null, worker: null, again: true }
}

export type Reflected = { requeued: number[]; received: number[] }

/** Brings a job's shards in line with its batches. */
export async function reflectJob(db: Db, jobId: bigint): Promise<Reflected> {
  const rows = await db.select().from(batches).where(eq(batches.jobId, jobId)).orderBy(asc(batches.number))
  const parts = rows.length
    ? await db
        .select()
        .from(ranges)
        .where(
          inArray(
            ranges.batchId,
            rows.map(({ batchId }) => batchId),
          ),
        )
    : []
  const [job] = await db
    .select({ coordinator: sql<string>`${jobs.terms}->>'coordinator'` })
    .from(jobs)
    .where(eq(jobs.jobId, jobId))
  const fates = shardFates(
    rows.map((row) => ({
      ...row,
      own: row.committer !== job?.coordinator,
      ranges: parts.filter(({ batchId }) => batchId === row.batchId),
    })),
  )
  const own = await db.select().from(shards).where(eq(shards.jobId, jobId))
  const stored = await db.select({ leaseHash: receipts.leaseHash }).from(receipts).where(eq(receipts.jobId, jobId))
  const known = new Set(stored.map(({ leaseHash }) => leaseHash))
  const reflected: Reflected = { requeued: [], received: [] }
  for (const row of own) {
    const hasReceipt = row.leaseHash !== null && known.has(row.leaseHash)
    const change = nextShard(row, fates.get(row.shard), hasReceipt)
    if (!change) continue
    const { again, ...set } = change
    await db
      .update(shards)
      .set({
        ...set,
        updatedAt: new Date(),
        ...(again
          ? { attempts: row.attempts + 1, enqueued: false, leaseHash: null, units: null, receivedAt: null }
          : {}),
      })
      .where(and(eq(shards.jobId, jobId), eq(shards.shard, row.shard)))
    if (change.state === "queued") reflected.requeued.push(row.shard)
    if (change.state === "received") reflected.received.push(row.shard)
  }
  await reflectJobState(db, jobId, own.length, fates)
  return reflected
}

async function reflectJobState(db: Db, jobId: bigint, total: number, fates: Map<number, ShardFate>): Promise<void> {
  const done = total > 0 && [...fates.values()].filter(({ state }) => state === "final").length === total
  if (done) {
    await db
      .update(jobs)
      .set({ state: "final" })
      .where(and(eq(jobs.jobId, jobId), notInArray(jobs.state, ["refunded", "submitted"])))
  }
}
