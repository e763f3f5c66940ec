import { and, eq, gt, ne, or } from "drizzle-orm"
import type { Logger } from "pino"
import { encodeFunctionData, type Hex } from "viem"
import { beaconAbi, juryAbi, type Terms } from "#protocol"
import { readBeacon } from "../audits/draw.ts"
import { verdictOf } from "../audits/storeVerdicts.ts"
import { type BatchRow, batchStruct, parseTerms } from "../batches/batchRow.ts"
import type { Chain } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, disputes, jobs, verdicts } from "../store/schema.ts"

export type JuryClerkDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type JuryClerk = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

type DisputeRow = typeof disputes.$inferSelect
type Case = { dispute: DisputeRow; batch: BatchRow; terms: Terms }

/** Phase of IJury. */
const SEED = 1
const COMMIT = 2
const RIPE = 4

const SEED_LIFE_BLOCKS = 256n
/** How long after a resolution other signers of the false answer are looked for. */
const PUNISH_SECONDS = 86_400

/** Moves disputes along: anybody may, and jurors wait for it (R28). */
export function createJuryClerk({ db, chain, outbox, wake, log }: JuryClerkDeps): JuryClerk {
  const { client, deployment } = chain
  const { jury, beacon } = deployment.contracts

  async function step(): Promise<void> {
    const rows = await db
      .select({ dispute: disputes, batch: batches, terms: jobs.terms })
      .from(disputes)
      .innerJoin(batches, eq(batches.batchId, disputes.batchId))
      .innerJoin(jobs, eq(jobs.jobId, batches.jobId))
      .where(or(eq(disputes.state, "open"), gt(disputes.resolveTime, chain.now() - PUNISH_SECONDS)))
    for (const { dispute, batch, terms } of rows) {
      const one = { dispute, batch, terms: parseTerms(terms) }
      // Disputes of version 1 are the players' own: no jury is called for them (R27).
      if (one.terms.version !== 0) continue
      if (dispute.state === "open") await advance(one)
      else if (dispute.outcome === "upheld" || dispute.outcome === "refuted") await punish(one)
    }
  }

  async function advance(one: Case): Promise<void> {
    const { disputeId } = one.dispute
    const [, tally] = await client.readContract({
      address: jury,
      abi: juryAbi,
      functionName: "disputeOf",
      args: [disputeId],
    })
    if (tally.phase === SEED) return drawOrReseed(one)
    if (tally.phase === COMMIT) return strike(one)
    if (tally.phase === RIPE) {
      const data = encodeFunctionData({
        abi: juryAbi,
        functionName: "resolve",
        args: [disputeId, one.terms, batchStruct(one.batch)],
      })
      await queue(`resolve:${disputeId}`, "resolve", data, 12)
    }
  }

  async function drawOrReseed({ dispute }: Case): Promise<void> {
    const { disputeId, openBlock } = dispute
    if (await readBeacon(chain, openBlock)) {
      const data = encodeFunctionData({ abi: juryAbi, functionName: "drawJury", args: [disputeId] })
      return queue(`jury:${disputeId}:${openBlock}`, "jury", data)
    }
    const [head, from] = await Promise.all([
      client.getBlockNumber(),
      client.readContract({ address: beacon, abi: beaconAbi, functionName: "seedBlock", args: [BigInt(openBlock)] }),
    ])
    if (head <= from + SEED_LIFE_BLOCKS) return
    const data = encodeFunctionData({ abi: juryAbi, functionName: "reseed", args: [disputeId] })
    return queue(`reseed:${disputeId}:${openBlock}`, "reseed", data)
  }

  /** Who signed a verdict on the sample does not judge it: left in, it would only keep its seats empty. */
  async function strike({ dispute, batch }: Case): Promise<void> {
    const { disputeId, sample } = dispute
    const jurors = new Set((dispute.jurors ?? []).filter(({ weight }) => weight > 0).map(({ account }) => account))
    for (const verdict of await verdictsOn(dispute)) {
      // A second audit (R22) is work of its own on public leaves, as a juror's is: its seats are not lost to the jury.
      if (!jurors.has(verdict.verifier) || verdict.round !== null) continue
      const data = encodeFunctionData({
        abi: juryAbi,
        functionName: "strike",
        args: [disputeId, batchStruct(batch), verdictOf(verdict), verdict.signature],
      })
      await queue(`strike:${disputeId}:${sample}:${verdict.verifier}`, "strike", data, 3)
    }
  }

  /** R22: whoever else signed what the jury found false pays too; the accuser was judged with the dispute. */
  async function punish({ dispute, batch, terms }: Case): Promise<void> {
    for (const verdict of await verdictsOn(dispute)) {
      if (verdict.outputCommitment === dispute.output) continue
      const data = encodeFunctionData({
        abi: juryAbi,
        functionName: "slashFalse",
        args: [dispute.disputeId, terms, batchStruct(batch), verdictOf(verdict), verdict.signature],
      })
      // One verdict is punished once, however many juries looked at its sample.
      await queue(`false:${dispute.batchId}:${dispute.sample}:${verdict.verifier}`, "slashFalse", data, 3)
    }
  }

  /** Verdicts on the sample by others than the accuser. */
  function verdictsOn({ batchId, sample, verifier }: DisputeRow) {
    return db
      .select()
      .from(verdicts)
      .where(and(eq(verdicts.batchId, batchId), eq(verdicts.sample, sample), ne(verdicts.verifier, verifier)))
  }

  async function queue(key: string, kind: string, data: Hex, maxAttempts?: number): Promise<void> {
    const call = { key, kind, to: jury, data, ...(maxAttempts ? { maxAttempts } : {}) }
    if (await outbox.enqueue(db, call)) wake.notify("outbox")
  }

  return {
    step,
    start: (signal) => runLoop({ wake, log }, { name: "juryClerk", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
