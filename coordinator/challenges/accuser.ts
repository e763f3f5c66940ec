import { and, eq, inArray, like } from "drizzle-orm"
import type { Logger } from "pino"
import { encodeFunctionData, zeroHash } from "viem"
import { challengesAbi, disputeIdOf, juryAbi, splitBatchId, type Terms, treePath } from "#protocol"
import { verdictOf } from "../audits/storeVerdicts.ts"
import { verdictSet } from "../audits/verdictSet.ts"
import { attestationStruct, type BatchRow, batchStruct, parseTerms } from "../batches/batchRow.ts"
import { drawCall } from "../batches/calls.ts"
import { openBatch } from "../batches/openBatch.ts"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, disputes, events, jobs, outbox as outboxTable, samples, verdicts } from "../store/schema.ts"
import { chooseMismatches } from "./mismatch.ts"

export type AccuserDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type Accuser = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

/** Brings verdicts that differ from their leaves before the jury, by itself and at once (R20, R24a). */
export function createAccuser({ db, chain, outbox, wake, log }: AccuserDeps): Accuser {
  const { deployment } = chain
  const coordinator = lower(chain.account.address)

  async function step(): Promise<void> {
    const rows = await db
      .selectDistinct({ batch: batches })
      .from(verdicts)
      .innerJoin(batches, eq(batches.batchId, verdicts.batchId))
      .where(
        and(
          eq(verdicts.agrees, false),
          eq(batches.committer, coordinator),
          inArray(batches.state, ["committed", "drawn", "attested"]),
        ),
      )
    for (const { batch } of rows) await accuse(batch)
  }

  async function accuse(batch: BatchRow): Promise<void> {
    if (batch.state === "attested" && chain.now() > (batch.attestTime ?? 0) + deployment.params.window) return
    const found = await db
      .select({ verdict: verdicts, range: samples.range })
      .from(verdicts)
      .innerJoin(samples, and(eq(samples.batchId, verdicts.batchId), eq(samples.sample, verdicts.sample)))
      .where(and(eq(verdicts.batchId, batch.batchId), eq(verdicts.agrees, false)))
    const known = await db.select().from(disputes).where(eq(disputes.batchId, batch.batchId))
    const chosen = chooseMismatches(
      found.map(({ verdict, range }) => ({ ...verdict, range, receivedAtMs: verdict.receivedAt.getTime() })),
      known,
    )
    if (chosen.length === 0) return
    // A mismatch is posted from the draw on; while the attestation is on its way, that one draws.
    if (batch.state === "committed") return drawFirst(batch)
    for (const { sample, verifier } of chosen) {
      const one = found.find(({ verdict }) => verdict.sample === sample && verdict.verifier === verifier)
      if (one) await post(batch, one.verdict)
    }
  }

  async function drawFirst(batch: BatchRow): Promise<void> {
    const [attesting] = await db
      .select({ id: outboxTable.id })
      .from(outboxTable)
      .where(
        and(
          eq(outboxTable.sender, outbox.sender),
          inArray(outboxTable.state, ["queued", "sent"]),
          like(outboxTable.key, `attest:${batch.batchId}:%`),
        ),
      )
      .limit(1)
    if (attesting) return
    const call = drawCall(
      { market: deployment.contracts.market },
      { batchId: batch.batchId, batch: batchStruct(batch) },
    )
    if (await outbox.enqueue(db, call)) wake.notify("outbox")
  }

  async function post(batch: BatchRow, verdict: typeof verdicts.$inferSelect): Promise<void> {
    const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, batch.jobId))
    if (!job) return
    const terms = parseTerms(job.terms)
    const open = await openBatch(db, batch, terms)
    if (!open) return
    const { position, verifier, sample } = verdict
    const ordinal = Math.floor(position / terms.shardSize)
    const disputeId = disputeIdOf({ batchId: batch.batchId, sample, verifier })
    const attestation =
      batch.state === "attested"
        ? attestationStruct(batch)
        : { seed: batch.seed ?? zeroHash, verdictRoot: zeroHash, verifiers: [], silentRanges: 0n }
    const data = encodeFunctionData({
      abi: challengesAbi,
      functionName: "postMismatch",
      args: [
        terms,
        batchStruct(batch),
        attestation,
        { leaf: open.leafAt(position), path: open.pathOf(position), ...open.signedShard(ordinal) },
        verdictOf(verdict),
        verdict.signature,
      ],
    })
    const seat = verdict.round === null ? undefined : await seatCall(batch, terms, verdict)
    if (verdict.round !== null && !seat) return
    const queued = await db.transaction(async (t) => {
      if (seat) await outbox.enqueue(t, seat)
      // What is resubmitted depends on the state: after the attestation the same mismatch is another call.
      const key = `mismatch:${disputeId}:${batch.state}`
      const call = { key, kind: "mismatch", to: deployment.contracts.challenges, data, maxAttempts: 5 }
      if (!(await outbox.enqueue(t, call))) return false
      const { jobId, number } = splitBatchId(batch.batchId)
      const text = `batch ${number}, sample ${sample}: the verdict differs from the leaf and goes to the jury (R28)`
      await t
        .insert(events)
        .values({ code: "MISMATCH_POSTED", text, jobId, batchId: batch.batchId, data: { verifier } })
      return true
    })
    if (!queued) return
    log.warn({ batchId: batch.batchId, sample, verifier }, "mismatch found, posted to the jury")
    wake.notify("outbox")
  }

  /** R22: who was drawn to audit again is made a candidate first; what it found is a mismatch like any other then. */
  async function seatCall(batch: BatchRow, terms: Terms, { sample, verifier, round }: typeof verdicts.$inferSelect) {
    const drawn = await db.select().from(samples).where(eq(samples.batchId, batch.batchId))
    const used = await db
      .select()
      .from(verdicts)
      .where(and(eq(verdicts.batchId, batch.batchId), eq(verdicts.used, true)))
    const set = verdictSet(drawn, used)
    const first = set.used[sample]
    if (!first || round === null || set.tree.root !== batch.verdictRoot) return undefined
    const { units, verdictHash } = first
    const data = encodeFunctionData({
      abi: juryAbi,
      functionName: "seatReauditor",
      args: [
        terms,
        batchStruct(batch),
        attestationStruct(batch),
        sample,
        BigInt(round),
        verifier,
        { verifier: first.verifier, units, verdictHash },
        treePath(set.tree, sample),
      ],
    })
    const key = `seat:${batch.batchId}:${sample}:${verifier}`
    return { key, kind: "seat", to: deployment.contracts.jury, data, maxAttempts: 5 }
  }

  return {
    step,
    start: (signal) =>
      runLoop({ wake, log }, { name: "accuser", topics: ["verdict", "tick"], everyMs: 1_000, signal, step }),
  }
}
