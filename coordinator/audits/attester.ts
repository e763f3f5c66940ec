import { and, eq, inArray, like } from "drizzle-orm"
import type { Logger } from "pino"
import { zeroHash } from "viem"
import { publish } from "../artifacts/access.ts"
import { type BatchRow, batchStruct, parseTerms } from "../batches/batchRow.ts"
import { attestCall } from "../batches/calls.ts"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { artifacts, batches, events, jobs, outbox as outboxTable, samples, verdicts } from "../store/schema.ts"
import { attestMargin } from "./patience.ts"
import { verdictSet } from "./verdictSet.ts"

export type AttesterDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type Attester = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

/** Attests our batches once every sample has a verdict, or when the limit is near (R24). */
export function createAttester({ db, chain, outbox, wake, log }: AttesterDeps): Attester {
  const { deployment } = chain
  const coordinator = lower(chain.account.address)

  async function step(): Promise<void> {
    const rows = await db
      .select()
      .from(batches)
      .where(and(eq(batches.committer, coordinator), inArray(batches.state, ["committed", "drawn"])))
    for (const row of rows) await attest(row)
    await publishData()
  }

  async function attest(row: BatchRow): Promise<void> {
    const drawn = await db.select().from(samples).where(eq(samples.batchId, row.batchId))
    if (drawn.length === 0 || (row.seed !== null && drawn[0]!.seed !== row.seed)) return
    const { attestLimit } = deployment.params
    if (chain.now() > row.commitTime + attestLimit) return
    const late = chain.now() >= row.commitTime + attestLimit - attestMargin(attestLimit)
    const complete = drawn.every(({ state }) => state === "answered")
    if (!complete && !late) return
    const seed = row.seed ?? zeroHash
    if (await underWay(row, seed)) return
    const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, row.jobId))
    if (!job) return
    const stored = await db.select().from(verdicts).where(eq(verdicts.batchId, row.batchId))
    const set = verdictSet(drawn, stored)
    const silent = drawn.filter((_, i) => set.used[i] === undefined)
    const queued = await db.transaction(async (t) => {
      const call = attestCall(
        { market: deployment.contracts.market },
        {
          batchId: row.batchId,
          terms: parseTerms(job.terms),
          batch: batchStruct(row),
          seed,
          verdictRoot: set.tree.root,
          verifiers: set.verifiers,
          silentRanges: set.silentRanges,
        },
      )
      if (!(await outbox.enqueue(t, call))) return false
      await t.update(verdicts).set({ used: true }).where(eq(verdicts.batchId, row.batchId))
      const used = new Set(set.used)
      for (const verdict of stored.filter((one) => !used.has(one))) {
        await t
          .update(verdicts)
          .set({ used: false })
          .where(
            and(
              eq(verdicts.batchId, row.batchId),
              eq(verdicts.sample, verdict.sample),
              eq(verdicts.verifier, verdict.verifier),
            ),
          )
      }
      for (const { sample, taskIndex, shard, worker } of silent) {
        await t
          .update(samples)
          .set({ state: "silent" })
          .where(and(eq(samples.batchId, row.batchId), eq(samples.sample, sample)))
        const text = `task ${taskIndex} was drawn, but none of its candidates answered before the limit (R20)`
        await t
          .insert(events)
          .values({ code: "AUDIT_SILENT", text, jobId: row.jobId, shard, taskIndex, batchId: row.batchId, worker })
      }
      return true
    })
    if (!queued) return
    log.info(
      { batchId: row.batchId, samples: drawn.length, silent: silent.length, verifiers: set.verifiers.length },
      "attestation queued",
    )
    wake.notify("outbox")
  }

  /** A draw changes what attest must be called with, so it goes first; one attestation at a time. */
  async function underWay(row: BatchRow, seed: string): Promise<boolean> {
    const open = await db
      .select({ key: outboxTable.key })
      .from(outboxTable)
      .where(
        and(
          eq(outboxTable.sender, outbox.sender),
          inArray(outboxTable.state, ["queued", "sent"]),
          inArray(outboxTable.kind, ["draw", "attest"]),
          like(outboxTable.key, `%:${row.batchId}:%`),
        ),
      )
    // A draw that somebody else was quicker with stays queued for its attempts; it must not keep us from attesting.
    const undrawn = row.state === "committed"
    return open.some(({ key }) => (key.startsWith("draw:") ? undrawn : key.endsWith(`:${seed}`)))
  }

  /** Leaves and signatures are anyone's to read once they are attested (R21). */
  async function publishData(): Promise<void> {
    const hidden = await db
      .selectDistinct({ sha256: artifacts.sha256 })
      .from(batches)
      .innerJoin(artifacts, eq(artifacts.sha256, batches.dataHash))
      .where(
        and(
          eq(batches.committer, coordinator),
          inArray(batches.state, ["attested", "final"]),
          eq(artifacts.public, false),
        ),
      )
    await publish(
      db,
      hidden.map(({ sha256 }) => sha256),
    )
  }

  return {
    step,
    start: (signal) =>
      runLoop({ wake, log }, { name: "attester", topics: ["verdict", "tick"], everyMs: 1_000, signal, step }),
  }
}
