import { and, eq, inArray, isNotNull, isNull } from "drizzle-orm"
import type { Logger } from "pino"
import { type Address, encodeFunctionData, zeroHash } from "viem"
import { CALLED, candidateOwners, juryAbi, type Terms } from "#protocol"
import { type BatchRow, batchStruct, parseTerms } from "../batches/batchRow.ts"
import { drawCall } from "../batches/calls.ts"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, jobs, samples, verdicts } from "../store/schema.ts"
import { readPanel } from "./draw.ts"
import { callTime } from "./patience.ts"
import { storeVerdicts } from "./storeVerdicts.ts"

export type CallerDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type Caller = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

type SampleRow = typeof samples.$inferSelect
/** What one transaction takes: an event of so many numbers and a slot for each. */
const MOST_AT_ONCE = 200
/** How long after a call silent seats are charged. */
const CHARGE_SECONDS = 86_400

/** Calls the candidates of silent samples and five more on chain, takes their answers, and charges the silent (R20, R25). */
export function createCaller(deps: CallerDeps): Caller {
  const { db, chain, outbox, wake, log } = deps
  const { client, deployment } = chain
  const { jury, market } = deployment.contracts
  const coordinator = lower(chain.account.address)

  async function step(): Promise<void> {
    const rows = await db
      .select()
      .from(batches)
      .where(and(eq(batches.committer, coordinator), inArray(batches.state, ["committed", "drawn"])))
    for (const row of rows) {
      await collect(row)
      if (isTime(row)) await callSilent(row)
    }
    await charge()
  }

  /** All three candidates had their time by then, and the called ones still have a third of the limit (R20). */
  function isTime({ commitTime }: BatchRow): boolean {
    const { attestLimit } = deployment.params
    const { from, until } = callTime(attestLimit)
    return chain.now() >= commitTime + from && chain.now() < commitTime + until
  }

  async function callSilent(row: BatchRow): Promise<void> {
    const { batchId } = row
    const silent = await db
      .select()
      .from(samples)
      .where(and(eq(samples.batchId, batchId), inArray(samples.state, ["open", "asked"]), isNull(samples.calledUntil)))
    if (silent.length === 0) return
    if (row.state === "committed" || row.seed === null) {
      const call = drawCall({ market }, { batchId, batch: batchStruct(row) })
      if (await outbox.enqueue(db, call)) wake.notify("outbox")
      return
    }
    const terms = await termsOf(row)
    if (!terms) return
    const some = silent.sort((a, b) => a.sample - b.sample).slice(0, MOST_AT_ONCE)
    await keepCalled(row, terms, some)
    const attestation = { seed: row.seed, verdictRoot: zeroHash, verifiers: [], silentRanges: 0n }
    const data = encodeFunctionData({
      abi: juryAbi,
      functionName: "callSamples",
      // The empty URL is the coordinator's own, which called seats know.
      args: [terms, batchStruct(row), attestation, some.map(({ sample }) => sample), ""],
    })
    const key = `call:${batchId}:${some[0]!.sample}`
    if (!(await outbox.enqueue(db, { key, kind: "call", to: jury, data, maxAttempts: 4 }))) return
    log.warn({ batchId, samples: some.length }, "all candidates are silent: called on chain with five more")
    wake.notify("outbox")
  }

  /** Whom the call names; they are served from the moment that it stands on chain. */
  async function keepCalled(row: BatchRow, terms: Terms, some: readonly SampleRow[]): Promise<void> {
    const seed = row.seed!
    const executors = [...new Set(some.map(({ worker }) => worker))]
    const { commitBlock, batchId } = row
    const owners = await readPanel(chain, { capability: terms.capability, commitBlock, seed, executors })
    for (const { sample, worker } of some) {
      const called = candidateOwners({ seed, sample, executor: worker, owners, count: CALLED }).map(lower)
      await db
        .update(samples)
        .set({ called: [...new Set(called)] })
        .where(and(eq(samples.batchId, batchId), eq(samples.sample, sample)))
    }
  }

  /** Verdicts that came on chain alone: a called seat need not trust that we store what it sends us. */
  async function collect(row: BatchRow): Promise<void> {
    const called = await db
      .select({ sample: samples.sample })
      .from(samples)
      .where(and(eq(samples.batchId, row.batchId), isNotNull(samples.calledUntil)))
    if (called.length === 0) return
    const answers = await client.getContractEvents({
      address: jury,
      abi: juryAbi,
      eventName: "CallAnswered",
      args: { batchId: row.batchId },
      fromBlock: BigInt(row.commitBlock),
      strict: true,
    })
    if (answers.length === 0) return
    const known = await db
      .select({ sample: verdicts.sample, verifier: verdicts.verifier })
      .from(verdicts)
      .where(eq(verdicts.batchId, row.batchId))
    const stored = new Set(known.map(({ sample, verifier }) => `${sample} ${verifier}`))
    for (const { args } of answers) {
      const { verdict, signature } = args
      const account = lower(verdict.verifier)
      if (stored.has(`${verdict.sample} ${account}`)) continue
      const one = { verdict: { ...verdict, verifier: account }, signature }
      const { refused } = await storeVerdicts(deps, { account, batchId: row.batchId, signed: [one] })
      for (const { sample, code } of refused)
        log.warn({ batchId: row.batchId, sample, account, code }, "answer refused")
    }
  }

  /** R25: whoever was called and did not move pays, once a batch. */
  async function charge(): Promise<void> {
    const now = chain.now()
    const due = await db
      .select({ sample: samples, batch: batches, terms: jobs.terms })
      .from(samples)
      .innerJoin(batches, eq(batches.batchId, samples.batchId))
      .innerJoin(jobs, eq(jobs.jobId, batches.jobId))
      .where(and(eq(batches.committer, coordinator), isNotNull(samples.calledUntil)))
    for (const { sample, batch, terms } of due) {
      const until = sample.calledUntil!
      if (now <= until || now > until + CHARGE_SECONDS) continue
      for (const account of sample.called ?? []) await chargeOne({ sample, batch, account, terms: parseTerms(terms) })
    }
  }

  type ChargeParams = { sample: SampleRow; batch: BatchRow; account: Address; terms: Terms }

  async function chargeOne({ sample, batch, account, terms }: ChargeParams): Promise<void> {
    const key = `silent:${batch.batchId}:${account}`
    if (charged.has(key)) return
    const moved = await client.readContract({
      address: jury,
      abi: juryAbi,
      functionName: "hasMoved",
      args: [batch.batchId, sample.sample, account],
    })
    if (moved) return
    charged.add(key)
    const data = encodeFunctionData({
      abi: juryAbi,
      functionName: "chargeSilent",
      args: [terms, batchStruct(batch), sample.sample, account],
    })
    if (await outbox.enqueue(db, { key, kind: "silent", to: jury, data, maxAttempts: 3 })) wake.notify("outbox")
  }

  /** Spares a read for each account that was charged; after a restart the outbox's key says the same. */
  const charged = new Set<string>()

  async function termsOf(row: BatchRow): Promise<Terms | undefined> {
    const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, row.jobId))
    return job && parseTerms(job.terms)
  }

  return {
    step,
    start: (signal) => runLoop({ wake, log }, { name: "caller", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
