import { and, eq, inArray } from "drizzle-orm"
import { type Hex, zeroHash } from "viem"
import { formatAmount, splitBatchId } from "#protocol"
import { batches, demands, disputes, equivocations, jobs, ranges, rounds, samples } from "../../store/schema.ts"
import { lower } from "../client.ts"
import { type ApplyContext, tell } from "./context.ts"
import type { ChallengesEvent, GameEvent, JuryEvent } from "./logs.ts"

const KINDS = ["leaf", "shards", "verdict", "signature"] as const

/** Demands (R26). Answers and expiries end them; what an expiry voids comes as the Market's RangeVoided. */
export async function applyChallenges(context: ApplyContext, event: ChallengesEvent): Promise<void> {
  const { db, tx } = context
  const end = (demandId: Hex, state: "answered" | "expired") =>
    db
      .update(demands)
      .set({ state, answerTx: tx })
      .where(eq(demands.demandId, BigInt(demandId)))
  switch (event.eventName) {
    case "DemandOpened": {
      const { batchId, demandId, asker, kind, position, deadline } = event.args
      if (!(await knownBatch(context, batchId))) return
      await db
        .insert(demands)
        .values({
          demandId: BigInt(demandId),
          batchId,
          kind: KINDS[kind]!,
          position,
          asker: lower(asker),
          deadline,
          state: "open",
          openTx: tx,
        })
        .onConflictDoNothing()
      return tell(context, {
        code: "DEMAND_OPENED",
        text: `somebody demands to see the ${KINDS[kind]} at ${position}: it is answered before ${deadline} (R26)`,
        jobId: splitBatchId(batchId).jobId,
        batchId,
      })
    }
    case "DemandAnswered": {
      const { batchId, demandId } = event.args
      await end(demandId, "answered")
      const text = "what was demanded was shown; everybody has a clock to look at it (R26)"
      return tell(context, { code: "DEMAND_ANSWERED", text, jobId: splitBatchId(batchId).jobId, batchId })
    }
    case "DemandExpired": {
      const { batchId, demandId } = event.args
      await end(demandId, "expired")
      return tell(context, {
        code: "DEMAND_EXPIRED",
        text: "a demand was not answered in time: its ranges are void by the coordinator's fault (R26)",
        jobId: splitBatchId(batchId).jobId,
        batchId,
      })
    }
    case "FaultProved": {
      const { batchId, rule } = event.args
      return tell(context, {
        code: "FAULT_PROVED",
        text: `a fault was proved on chain: ${Buffer.from(rule.slice(2), "hex")
          .toString("ascii")
          .replace(/[^\x20-\x7e]/g, "")}`,
        jobId: splitBatchId(batchId).jobId,
        batchId,
      })
    }
  }
}

const OUTCOMES = [undefined, "upheld", "refuted", "noMajority"] as const
const OUTCOME_TEXT = {
  upheld: "the jury found the leaf right: its accuser pays (R28)",
  refuted: "the jury found the leaf wrong: its worker's range is void and its collateral lost (R29)",
  noMajority: "the jury found no majority: the range is void, nobody loses (R28)",
} as const

/** Disputes before the jury (R28, R29). */
export async function applyJury(context: ApplyContext, event: JuryEvent): Promise<void> {
  const { db, tx } = context
  switch (event.eventName) {
    case "DisputeOpened": {
      const { disputeId, batchId, rangeIndex, sample, verifier, leafOutput, verdictOutput, openBlock } = event.args
      if (!(await knownBatch(context, batchId))) return
      await db
        .insert(disputes)
        .values({
          disputeId,
          batchId,
          range: rangeIndex,
          sample,
          verifier: lower(verifier),
          leafOutput,
          verdictOutput,
          openBlock: Number(openBlock),
          openTime: context.time,
          state: "open",
          openTx: tx,
        })
        .onConflictDoNothing()
      const { jobId, number } = splitBatchId(batchId)
      const [range] = await db
        .select({ worker: ranges.worker })
        .from(ranges)
        .where(and(eq(ranges.batchId, batchId), eq(ranges.position, rangeIndex)))
      return tell(context, {
        code: "DISPUTE_OPENED",
        text: `batch ${number}, sample ${sample}: a drawn verifier found another result, a jury decides (R28)`,
        jobId,
        batchId,
        ...(range ? { worker: range.worker } : {}),
        data: { disputeId: disputeId.toString(), verifier },
      })
    }
    case "DisputeReseeded":
      await db
        .update(disputes)
        .set({ openBlock: Number(event.args.openBlock), jurors: null })
        .where(eq(disputes.disputeId, event.args.disputeId))
      return
    case "JuryDrawn": {
      const { disputeId, jurors, weights } = event.args
      await db
        .update(disputes)
        .set({
          jurors: jurors.map((account, i) => ({
            account: lower(account),
            weight: weights[i]!,
            committed: false,
            revealed: false,
          })),
        })
        .where(eq(disputes.disputeId, disputeId))
      return
    }
    case "VoteCommitted":
      return moved(context, event.args.disputeId, event.args.juror, "committed")
    case "VoteRevealed":
      return moved(context, event.args.disputeId, event.args.juror, "revealed")
    case "DisputeResolved": {
      const { disputeId, batchId, outcome, output } = event.args
      const name = OUTCOMES[outcome]
      const [dispute] = await db
        .update(disputes)
        .set({ state: "resolved", outcome: name ?? null, output, resolveTx: tx, resolveTime: context.time })
        .where(eq(disputes.disputeId, disputeId))
        .returning({ range: disputes.range })
      if (!dispute || !name) return
      await unfreeze(context, batchId, dispute.range)
      const [range] = await db
        .select({ worker: ranges.worker })
        .from(ranges)
        .where(and(eq(ranges.batchId, batchId), eq(ranges.position, dispute.range)))
      return tell(context, {
        code: `DISPUTE_${name === "noMajority" ? "NO_MAJORITY" : name.toUpperCase()}`,
        text: OUTCOME_TEXT[name],
        jobId: splitBatchId(batchId).jobId,
        batchId,
        ...(range ? { worker: range.worker } : {}),
        data: { disputeId: disputeId.toString() },
      })
    }
    case "JurorSilent":
      return tell(context, {
        code: "JUROR_SILENT",
        text: `a called juror stayed silent and pays ${formatAmount(event.args.taken)} (R25)`,
        worker: event.args.juror,
      })
    case "RoundStarted":
      await db
        .insert(rounds)
        .values({ round: Number(event.args.round), block: Number(event.args.blockNumber), time: context.time })
        .onConflictDoNothing()
      return
    case "DigestFalse":
    case "SamplesCalled":
    case "CallAnswered":
    case "CallUnserved":
    case "SeatSilent":
    case "EquivocationClaimed":
      return applyDuties(context, event)
    case "VerdictFalse":
      return tell(context, {
        code: "VERDICT_FALSE",
        text: `a verdict proved false and costs ${formatAmount(event.args.taken)} (R22)`,
        worker: event.args.verifier,
      })
  }
}

/** `IDisputeGame.Kind` and `Outcome`. */
const GAME_KINDS = ["find", "mismatch", "verdict"] as const
const GAME_OUTCOMES = [undefined, "refuted", "upheld", "noMajority"] as const
const GAME_TEXT = {
  upheld: "the challenger could not show a wrong element, or fell silent: what was disputed stands (R27)",
  refuted: "the contract computed one element itself and found another, or the defendant fell silent (R27)",
  noMajority: "the program cannot be judged: the range is void, nobody loses (R27)",
} as const
/** A find may be of a leaf that was not drawn. */
const NO_SAMPLE = -1

/** Disputes before the game (R27); its moves in between are the players' business. */
export async function applyGame(context: ApplyContext, event: GameEvent): Promise<void> {
  const { db, tx } = context
  if (event.eventName === "DisputeOpened") {
    const { disputeId, batchId, defendant, dispute } = event.args
    if (!(await knownBatch(context, batchId))) return
    const { kind, position, rangeIndex, challenger, outputCommitment } = dispute
    const [drawn] = await db
      .select({ sample: samples.sample })
      .from(samples)
      .where(and(eq(samples.batchId, batchId), eq(samples.position, position)))
    const row = { disputeId, batchId, range: rangeIndex, sample: drawn?.sample ?? NO_SAMPLE }
    await db
      .insert(disputes)
      .values({
        ...row,
        verifier: lower(challenger),
        leafOutput: outputCommitment,
        // What the challenger found is not said before it is shown.
        verdictOutput: zeroHash,
        openBlock: context.block,
        openTime: context.time,
        state: "open",
        openTx: tx,
      })
      .onConflictDoNothing()
    const { jobId, number } = splitBatchId(batchId)
    return tell(context, {
      code: "GAME_OPENED",
      text: `batch ${number}, position ${position}: a ${GAME_KINDS[kind] ?? "dispute"} is played out before the referee (R27)`,
      jobId,
      batchId,
      worker: lower(defendant),
      data: { disputeId: disputeId.toString(), challenger },
    })
  }
  if (event.eventName !== "DisputeEnded") return
  const { disputeId, batchId, outcome } = event.args
  const name = GAME_OUTCOMES[outcome]
  const [dispute] = await db
    .update(disputes)
    .set({ state: "resolved", outcome: name ?? null, resolveTx: tx, resolveTime: context.time })
    .where(eq(disputes.disputeId, disputeId))
    .returning({ range: disputes.range })
  if (!dispute || !name) return
  await unfreeze(context, batchId, dispute.range)
  return tell(context, {
    code: { upheld: "GAME_UPHELD", refuted: "GAME_REFUTED", noMajority: "GAME_VOID" }[name],
    text: GAME_TEXT[name],
    jobId: splitBatchId(batchId).jobId,
    batchId,
    data: { disputeId: disputeId.toString() },
  })
}

type DutyName = "DigestFalse" | "SamplesCalled" | "CallAnswered" | "CallUnserved" | "SeatSilent" | "EquivocationClaimed"
type DutyEvent = Extract<JuryEvent, { eventName: DutyName }>

/** What verifiers and coordinators owe beyond one verdict (R14, R20, R21, R25). */
async function applyDuties(context: ApplyContext, event: DutyEvent): Promise<void> {
  const { db } = context
  if (event.eventName === "EquivocationClaimed") {
    const { claimId, jobId, shard, firstHash, until, coordinator } = event.args
    if (lower(coordinator) !== context.coordinator) return
    await db
      .insert(equivocations)
      .values({ claimId, jobId, shard, firstHash, until: Number(until) })
      .onConflictDoNothing()
    const text = `somebody shows two leases of shard ${shard} that overlap; the release of the first answers (R14)`
    return tell(context, { code: "EQUIVOCATION_CLAIMED", text, jobId, shard })
  }
  const { batchId } = event.args
  const { jobId } = splitBatchId(batchId)
  const about = { jobId, batchId }
  switch (event.eventName) {
    case "DigestFalse": {
      const { verifier, sample, taken } = event.args
      const text = `the keyed digest of the verdict on sample ${sample} is not its verifier's own work: ${formatAmount(taken)} lost (R21)`
      return tell(context, { code: "DIGEST_FALSE", text, ...about, worker: verifier })
    }
    case "SamplesCalled": {
      const numbers = [...event.args.samples]
      await db
        .update(samples)
        .set({ calledUntil: Number(event.args.until) })
        .where(and(eq(samples.batchId, batchId), inArray(samples.sample, numbers)))
      const text = `${numbers.length} samples without a verdict were called on chain, to their candidates and five more (R20)`
      return tell(context, { code: "SAMPLE_CALLED", text, ...about })
    }
    case "CallAnswered": {
      const { sample, verifier } = event.args
      const text = `a called seat gave its verdict on sample ${sample} on chain (R20)`
      return tell(context, { code: "CALL_ANSWERED", text, ...about, worker: verifier })
    }
    case "CallUnserved": {
      const { sample, account } = event.args
      const text = `a called seat says that it was not served sample ${sample}`
      return tell(context, { code: "CALL_UNSERVED", text, ...about, worker: account })
    }
    case "SeatSilent": {
      const { sample, account, taken } = event.args
      const text = `a seat that was called for sample ${sample} stayed silent and pays ${formatAmount(taken)} (R25)`
      return tell(context, { code: "SEAT_SILENT", text, ...about, worker: account })
    }
  }
}

async function moved(context: ApplyContext, disputeId: bigint, juror: Hex, what: "committed" | "revealed") {
  const [row] = await context.db.select().from(disputes).where(eq(disputes.disputeId, disputeId))
  if (!row?.jurors) return
  const jurors = row.jurors.map((one) => (one.account === lower(juror) ? { ...one, [what]: true } : one))
  await context.db.update(disputes).set({ jurors }).where(eq(disputes.disputeId, disputeId))
}

/** A range moves again once none of its disputes is open. */
async function unfreeze(context: ApplyContext, batchId: bigint, range: number): Promise<void> {
  const { db } = context
  const open = await db
    .select({ id: disputes.disputeId })
    .from(disputes)
    .where(and(eq(disputes.batchId, batchId), eq(disputes.range, range), eq(disputes.state, "open")))
  if (open.length > 0) return
  await db
    .update(ranges)
    .set({ frozen: false })
    .where(and(eq(ranges.batchId, batchId), eq(ranges.position, range)))
  const [row] = await db.select({ frozen: batches.frozen }).from(batches).where(eq(batches.batchId, batchId))
  if (row) {
    const frozen = row.frozen & ~(1n << BigInt(range))
    await db.update(batches).set({ frozen }).where(eq(batches.batchId, batchId))
  }
}

/** Only disputes and demands of batches of our own jobs are followed. */
async function knownBatch({ db }: ApplyContext, batchId: bigint): Promise<boolean> {
  const [row] = await db
    .select({ id: batches.batchId })
    .from(batches)
    .innerJoin(jobs, eq(jobs.jobId, batches.jobId))
    .where(eq(batches.batchId, batchId))
  return row !== undefined
}
