import { and, asc, eq, inArray, like, ne, or } from "drizzle-orm"
import type { Logger } from "pino"
import { zeroHash } from "viem"
import { marketAbi, type Terms } from "#protocol"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { OutboxCall } from "../chain/outbox/call.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, demands, disputes, jobs, outbox as outboxTable, ranges } from "../store/schema.ts"
import { attestationStruct, type BatchRow, batchStruct, parseTerms } from "./batchRow.ts"
import { finalizeCall, forfeitCall, refundCall, releaseCall } from "./calls.ts"

export type FinalizerDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

/** Between calls of which each was given up: the reason may be a bug, which must not burn gas in a circle. */
const FIRST_PAUSE_MS = 10_000
const LONGEST_PAUSE_MS = 600_000

export type Finalizer = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

/** Ends what can be ended: batches whose window is over (R30), marks whose claim period is over and escrow (R18). */
export function createFinalizer({ db, chain, outbox, wake, log }: FinalizerDeps): Finalizer {
  const { client, deployment } = chain
  const { market } = deployment.contracts
  const { params } = deployment

  async function step(): Promise<void> {
    await finalizeRipe()
    await forfeitLost()
    await releaseRipe()
    await refundRipe()
  }

  async function finalizeRipe(): Promise<void> {
    const rows = await db.select().from(batches).where(eq(batches.state, "attested"))
    for (const row of rows) {
      // The window's end may have been moved by an answer; it is never earlier than this.
      if (chain.now() <= (row.attestTime ?? 0) + params.window || (await isHeld(row))) continue
      const { clock, count } = await batchOf(row.batchId)
      if (count > 0 || chain.now() <= clock) continue
      const terms = await termsOf(row.jobId)
      if (!terms) continue
      await once(`finalize:${row.batchId}:`, (attempt) =>
        finalizeCall(
          { market },
          { batchId: row.batchId, terms, batch: batchStruct(row), attestation: attestationStruct(row), attempt },
        ),
      )
    }
  }

  /** A batch whose attestation came too late, or whose worker committed for itself and stopped. */
  async function forfeitLost(): Promise<void> {
    const rows = await db
      .select()
      .from(batches)
      .where(inArray(batches.state, ["committed", "drawn"]))
    for (const row of rows) {
      if (chain.now() <= row.commitTime + params.attestLimit || (await isHeld(row))) continue
      const { clock, count } = await batchOf(row.batchId)
      if (count > 0 || chain.now() <= clock) continue
      const terms = await termsOf(row.jobId)
      if (!terms) continue
      log.error({ batchId: row.batchId }, "a batch was not attested in time: it is forfeited")
      await once(`forfeit:${row.batchId}:`, (attempt) =>
        forfeitCall(
          { market },
          { batchId: row.batchId, terms, batch: batchStruct(row), seed: row.seed ?? zeroHash, attempt },
        ),
      )
    }
  }

  async function isHeld({ batchId }: BatchRow): Promise<boolean> {
    const [dispute] = await db
      .select({ id: disputes.disputeId })
      .from(disputes)
      .where(and(eq(disputes.batchId, batchId), eq(disputes.state, "open")))
      .limit(1)
    const [demand] = await db
      .select({ id: demands.demandId })
      .from(demands)
      .where(and(eq(demands.batchId, batchId), eq(demands.state, "open")))
      .limit(1)
    return dispute !== undefined || demand !== undefined
  }

  async function releaseRipe(): Promise<void> {
    const rows = await db
      .select()
      .from(batches)
      .where(
        and(
          // Shards of a worker's own batch are free at once; others can be claimed once their batch has ended.
          eq(batches.committer, lower(chain.account.address)),
          or(
            inArray(batches.state, ["withdrawn", "forfeited"]),
            and(eq(batches.state, "final"), ne(batches.voided, 0n)),
          ),
        ),
      )
    for (const row of rows) {
      if ((await markedShards(row)) === 0n) continue
      const { claimable, claimUntil } = await batchOf(row.batchId)
      if (claimable === 0n || chain.now() <= claimUntil) continue
      const terms = await termsOf(row.jobId)
      if (!terms) continue
      await once(`release:${row.batchId}:`, (attempt) =>
        releaseCall({ market }, { batchId: row.batchId, terms, batch: batchStruct(row), attempt }),
      )
    }
  }

  /** Shards that wait for their worker: of a batch that ended without pay, or of ranges void by our fault. */
  async function markedShards(row: BatchRow): Promise<bigint> {
    const ended = row.state === "withdrawn" || row.state === "forfeited"
    const parts = await db.select().from(ranges).where(eq(ranges.batchId, row.batchId))
    const marked = parts
      .filter(({ voided }) => voided === "coordinator" || (ended && voided === null))
      .reduce((mask, part) => mask | part.mask, 0n)
    return marked & ~row.reclaimed & ~row.released
  }

  async function refundRipe(): Promise<void> {
    const rows = await db
      .select()
      .from(jobs)
      .where(inArray(jobs.state, ["open", "closed", "final"]))
    for (const job of rows) {
      const last = (job.closedAt ?? job.deadline) + params.maxLease + params.claimPeriod
      if (job.state !== "final" && chain.now() <= last) continue
      const [, , , open, , , refundAt, finalShards] = await client.readContract({
        address: market,
        abi: marketAbi,
        functionName: "jobOf",
        args: [job.jobId],
      })
      const done = Number(finalShards) === job.shards
      if (open > 0n || (!done && chain.now() <= Math.max(last, Number(refundAt)))) continue
      await once(`refund:${job.jobId}:`, (attempt) =>
        refundCall({ market }, { jobId: job.jobId, terms: parseTerms(job.terms), attempt }),
      )
    }
  }

  async function batchOf(batchId: bigint) {
    const view = await client.readContract({
      address: market,
      abi: marketAbi,
      functionName: "batchOf",
      args: [batchId],
    })
    const { clock, count, claimable, claimUntil } = view
    return { clock: Number(clock), count: Number(count), claimable, claimUntil: Number(claimUntil) }
  }

  async function termsOf(jobId: bigint): Promise<Terms | undefined> {
    const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, jobId))
    return job && parseTerms(job.terms)
  }

  /** Queues the call unless one like it is under way; after one that was given up it is tried afresh, ever later. */
  async function once(prefix: string, call: (attempt: number) => OutboxCall): Promise<void> {
    const rows = await db
      .select({ state: outboxTable.state, endedAt: outboxTable.endedAt })
      .from(outboxTable)
      .where(and(eq(outboxTable.sender, outbox.sender), like(outboxTable.key, `${prefix}%`)))
      .orderBy(asc(outboxTable.id))
    if (rows.some(({ state }) => state === "queued" || state === "sent")) return
    const endedMs = rows.at(-1)?.endedAt?.getTime()
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(rows.length - 1, 10))
    if (endedMs !== undefined && Date.now() - endedMs < pauseMs) return
    if (await outbox.enqueue(db, call(rows.length))) wake.notify("outbox")
  }

  return {
    step,
    start: (signal) => runLoop({ wake, log }, { name: "finalizer", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
