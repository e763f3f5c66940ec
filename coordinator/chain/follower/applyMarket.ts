import { and, eq, isNull } from "drizzle-orm"
import type { Address } from "viem"
import {
  auditPay,
  bitsOf,
  collateralUp,
  formatAmount,
  formatCount,
  maskOf,
  parseRanges,
  parseVerifiers,
  popCount,
  sampleCount,
  splitBatchId,
  termsHash,
  unpackRange,
} from "#protocol"
import { publish } from "../../artifacts/access.ts"
import { layoutOf, parseTerms } from "../../batches/batchRow.ts"
import { batches, batchPlans, jobs, ranges } from "../../store/schema.ts"
import { lower } from "../client.ts"
import { type ApplyContext, tell } from "./context.ts"
import type { MarketEvent } from "./logs.ts"

const CAUSES = ["worker", "coordinator", "nobody"] as const

/** Events of the Market, of jobs of this coordinator. Each handler is its own function of (event, rows). */
export async function applyMarket(context: ApplyContext, event: MarketEvent): Promise<void> {
  switch (event.eventName) {
    case "JobPosted":
      return jobPosted(context, event.args)
    case "JobClosed": {
      const { jobId, at } = event.args
      await context.db
        .update(jobs)
        .set({ closedAt: Number(at), state: "closed" })
        .where(eq(jobs.jobId, jobId))
      return tell(context, {
        code: "JOB_CLOSED",
        text: "the requester closed the job: no lease starts any more",
        jobId,
      })
    }
    case "JobRefunded": {
      const { jobId, amount } = event.args
      await context.db
        .update(jobs)
        .set({ refunded: amount, refundTx: context.tx, state: "refunded" })
        .where(eq(jobs.jobId, jobId))
      return tell(context, {
        code: "JOB_REFUNDED",
        text: `${formatAmount(amount)} of the escrow went back to the requester (R18)`,
        jobId,
        data: { amount: amount.toString() },
      })
    }
    case "BatchCommitted":
      return batchCommitted(context, event.args)
    case "BatchDrawn":
      await context.db
        .update(batches)
        .set({ state: "drawn", seed: event.args.seed, drawTx: context.tx })
        .where(eq(batches.batchId, event.args.batchId))
      return
    case "BatchAttested":
      return batchAttested(context, event.args)
    case "BatchFinalized":
      return batchFinalized(context, event.args)
    case "BatchWithdrawn":
      await endBatch(context, event.args.batchId, "withdrawn")
      return batchTale(context, event.args.batchId, "BATCH_WITHDRAWN", "taken back before its draw (R17)")
    case "BatchForfeited":
      await endBatch(context, event.args.batchId, "forfeited")
      return batchTale(
        context,
        event.args.batchId,
        "BATCH_FORFEITED",
        "not attested in time: the bond is burned, workers may commit their shards themselves (R18, R24a)",
      )
    case "RangeFrozen":
      await context.db
        .update(ranges)
        .set({ frozen: true })
        .where(and(eq(ranges.batchId, event.args.batchId), eq(ranges.position, Number(event.args.range))))
      return addMask(context, event.args.batchId, "frozen", 1n << event.args.range)
    case "RangeVoided":
      return rangeVoided(context, event.args)
    case "ShardsReclaimed":
      await addMask(context, event.args.fromBatchId, "reclaimed", event.args.mask)
      return batchTale(
        context,
        event.args.fromBatchId,
        "SHARDS_RECLAIMED",
        "its worker committed shards of it again by itself (R18)",
      )
    case "ShardsReleased":
      await addMask(context, event.args.batchId, "released", event.args.mask)
      return batchTale(
        context,
        event.args.batchId,
        "SHARDS_RELEASED",
        "the claim period is over: shards can be committed again (R18)",
      )
    case "VerifiersStruck":
      return batchTale(context, event.args.batchId, "VERIFIERS_STRUCK", "some verifiers of this batch will not be paid")
  }
}

type Args<N extends MarketEvent["eventName"]> = Extract<MarketEvent, { eventName: N }>["args"]

async function jobPosted(context: ApplyContext, { jobId, terms }: Args<"JobPosted">): Promise<void> {
  const [job] = await context.db
    .select({ hash: jobs.termsHash, model: jobs.model })
    .from(jobs)
    .where(eq(jobs.jobId, jobId))
  // Posted without having been submitted here: we hold neither spec nor inputs, so nothing can be leased.
  if (!job) return
  if (job.hash !== termsHash(terms)) {
    const text = "the terms on chain are not those that were submitted: nothing is leased, close the job (R1)"
    return tell(context, { code: "E_JOB_TERMS_DIFFER", text, jobId })
  }
  await context.db
    .update(jobs)
    .set({ state: "open", postedBlock: context.block, postedTx: context.tx })
    .where(eq(jobs.jobId, jobId))
  // Verifiers, and whoever checks the batches, need the model and the spec of a posted job.
  await publish(context.db, [job.model, terms.specHash])
  await tell(context, { code: "JOB_POSTED", text: "escrow seen on chain, shards are queued", jobId })
}

async function batchCommitted(context: ApplyContext, { batchId, batch, dataHash, url }: Args<"BatchCommitted">) {
  const { db, deployment } = context
  const words = batch.ranges.map(String)
  const parsed = parseRanges(batch.ranges)
  for (const { worker } of parsed) context.touchPair(worker, batch.backer)
  context.touchPair(batch.backer, batch.backer)
  const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, batch.jobId))
  if (!job) return
  const terms = parseTerms(job.terms)
  const mask = parsed.reduce((all, range) => all | range.mask, 0n)
  const leaves = layoutOf(terms, { firstShard: batch.firstShard, mask }).size
  await db.insert(batches).values({
    batchId,
    jobId: batch.jobId,
    number: batch.number,
    state: "committed",
    committer: lower(batch.committer),
    backer: lower(batch.backer),
    firstShard: batch.firstShard,
    root: batch.root,
    leaves,
    samples: sampleCount(terms.auditRate, leaves),
    commitBlock: Number(batch.commitBlock),
    commitTime: context.time,
    ranges: words,
    dataHash,
    url,
    commitTx: context.tx,
  })
  const collateral = collateralUp(terms, deployment.params)
  await db.insert(ranges).values(
    parsed.map(({ worker, units, mask }, position) => ({
      batchId,
      position,
      worker: lower(worker),
      units,
      mask,
      collateral,
    })),
  )
  const ours = lower(batch.committer) === lower(context.coordinator)
  if (ours) {
    await db
      .update(batchPlans)
      .set({ state: "committed", batchId })
      .where(and(eq(batchPlans.jobId, batch.jobId), eq(batchPlans.root, batch.root), eq(batchPlans.state, "planned")))
  }
  const by = ours ? "" : ` by its worker itself (R18)`
  for (const { worker, mask } of parsed) {
    await tell(context, {
      code: "BATCH_COMMITTED",
      text: `${formatCount(popCount(mask), "shard")} committed in batch ${batch.number}${by}; collateral ${formatAmount(collateral)} is locked (R11)`,
      jobId: batch.jobId,
      batchId,
      worker,
      data: { shards: bitsOf(mask).map((bit) => batch.firstShard + bit) },
    })
  }
}

async function batchAttested(context: ApplyContext, { batchId, attestation }: Args<"BatchAttested">): Promise<void> {
  await context.db
    .update(batches)
    .set({
      state: "attested",
      seed: attestation.seed,
      verdictRoot: attestation.verdictRoot,
      verifiers: attestation.verifiers.map(String),
      silentRanges: attestation.silentRanges,
      attestTime: context.time,
      attestTx: context.tx,
    })
    .where(eq(batches.batchId, batchId))
  const verdicts = parseVerifiers(attestation.verifiers).reduce((sum, { count }) => sum + count, 0)
  await batchTale(context, batchId, "BATCH_ATTESTED", `${verdicts} verdicts stand, the window is open (R24)`)
}

async function batchFinalized(context: ApplyContext, args: Args<"BatchFinalized">): Promise<void> {
  const { db } = context
  const { batchId, paidRanges } = args
  await endBatch(context, batchId, "final")
  const [batch] = await db.select().from(batches).where(eq(batches.batchId, batchId))
  if (!batch) return
  const paid = new Set(bitsOf(paidRanges))
  const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, batch.jobId))
  if (!job) return
  const terms = parseTerms(job.terms)
  for (const [position, word] of batch.ranges.entries()) {
    const { worker, units } = unpackRange(BigInt(word))
    context.touchPair(worker, batch.backer)
    if (!paid.has(position)) {
      await silentRange(context, batch, position)
      continue
    }
    await db
      .update(ranges)
      .set({ paid: true })
      .where(and(eq(ranges.batchId, batchId), eq(ranges.position, position)))
    const amount = BigInt(units) * terms.fee
    await tell(context, {
      code: "TASK_PAID",
      text: `batch ${batch.number} is final: ${formatAmount(amount)} for ${formatCount(units, "unit")} to ${lower(worker)} (R30)`,
      jobId: batch.jobId,
      batchId,
      worker,
      data: { amount: amount.toString(), units },
    })
  }
  for (const word of batch.verifiers ?? []) {
    const { verifier, count, units } = parseVerifiers([BigInt(word)])[0]!
    const amount = auditPay(terms, units)
    context.touchPair(verifier, context.coordinator)
    await tell(context, {
      code: "VERIFIER_PAID",
      text: `batch ${batch.number} is final: ${formatAmount(amount)} for ${count} audits to ${lower(verifier)}, unless it was barred (R23)`,
      jobId: batch.jobId,
      batchId,
      worker: verifier,
      data: { amount: amount.toString(), verdicts: count },
    })
  }
  context.touchPair(context.coordinator, context.coordinator)
}

/** R20: no verdict came for a sample of the range; what was voided before has been told. */
async function silentRange(context: ApplyContext, { batchId, jobId }: typeof batches.$inferSelect, position: number) {
  const [row] = await context.db
    .update(ranges)
    .set({ voided: "coordinator", voidTime: context.time, voidTx: context.tx })
    .where(and(eq(ranges.batchId, batchId), eq(ranges.position, position), isNull(ranges.voided)))
    .returning({ worker: ranges.worker })
  if (!row) return
  await addMask(context, batchId, "voided", maskOf([position]))
  const text = "a drawn sample of its range had no verdict: unpaid, the worker keeps its collateral (R18, R20)"
  await tell(context, { code: "TASK_VOID_SILENT", text, jobId, batchId, worker: row.worker })
}

async function endBatch(context: ApplyContext, batchId: bigint, state: "final" | "withdrawn" | "forfeited") {
  const { db } = context
  const [batch] = await db
    .update(batches)
    .set({ state, endTime: context.time, finalizeTx: context.tx })
    .where(eq(batches.batchId, batchId))
    .returning({ ranges: batches.ranges, backer: batches.backer })
  if (!batch) return
  for (const word of batch.ranges) context.touchPair(unpackRange(BigInt(word)).worker, batch.backer)
  context.touchPair(batch.backer, batch.backer)
}

const VOID_TEXT = {
  worker: "a leaf of it was judged wrong: its collateral is lost, its shards are queued again (R29)",
  coordinator:
    "by the coordinator's fault: the worker keeps its collateral and may commit its shards itself (R18, R26)",
  nobody: "no majority of the jury: nothing is lost, its shards are queued again (R28)",
} as const

async function rangeVoided(context: ApplyContext, { batchId, range, worker, cause }: Args<"RangeVoided">) {
  const { db } = context
  const name = CAUSES[cause] ?? "nobody"
  const position = Number(range)
  const at = and(eq(ranges.batchId, batchId), eq(ranges.position, position))
  const [row] = await db.select({ voided: ranges.voided }).from(ranges).where(at)
  if (!row) return
  // A range may be voided again by a graver cause; what happened to its shards at the first one stands, except that
  // a wrong leaf frees shards which only waited for their worker.
  if (row.voided === null || name === "worker" || (name === "nobody" && row.voided === "coordinator")) {
    await db.update(ranges).set({ voided: name, voidTime: context.time, voidTx: context.tx }).where(at)
  }
  await addMask(context, batchId, "voided", maskOf([position]))
  const [batch] = await db.select({ backer: batches.backer }).from(batches).where(eq(batches.batchId, batchId))
  if (batch) context.touchPair(worker, batch.backer)
  await tell(context, {
    code: `TASK_VOID_${name.toUpperCase()}`,
    text: `a range was voided ${VOID_TEXT[name]}`,
    jobId: splitBatchId(batchId).jobId,
    batchId,
    worker: worker as Address,
  })
}

async function addMask(
  context: ApplyContext,
  batchId: bigint,
  column: "reclaimed" | "released" | "voided" | "frozen",
  mask: bigint,
): Promise<void> {
  const [row] = await context.db.select().from(batches).where(eq(batches.batchId, batchId))
  if (!row) return
  await context.db
    .update(batches)
    .set({ [column]: row[column] | mask })
    .where(eq(batches.batchId, batchId))
}

async function batchTale(context: ApplyContext, batchId: bigint, code: string, text: string): Promise<void> {
  const { jobId, number } = splitBatchId(batchId)
  await tell(context, { code, text: `batch ${number}: ${text}`, jobId, batchId })
}
