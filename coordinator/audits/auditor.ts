import { and, eq, gt, inArray, ne } from "drizzle-orm"
import type { Logger } from "pino"
import type { Address, Hex } from "viem"
import { beaconAbi, unpackRange } from "#protocol"
import { type BatchRow, batchStruct, parseTerms } from "../batches/batchRow.ts"
import { drawCall } from "../batches/calls.ts"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, jobs, samples, verdicts, workers } from "../store/schema.ts"
import { assignSamples } from "./assign.ts"
import { drawSamples, readPanel, readSeed } from "./draw.ts"
import { patienceOf } from "./patience.ts"

export type AuditorDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type Auditor = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

/** A verifier heard of so lately is expected to poll. */
const ONLINE_MS = 60_000
/** R19: block hashes are forgotten after 256 blocks; half of that leaves time to get the draw mined. */
const DRAW_AFTER_BLOCKS = 128
const ROWS_AT_ONCE = 1_000

/** Derives the draw of our batches as soon as its seed exists, so that candidates can be asked (R19, R20). */
export function createAuditor({ db, chain, outbox, wake, log }: AuditorDeps): Auditor {
  const { deployment } = chain
  const coordinator = lower(chain.account.address)

  async function step(): Promise<void> {
    const rows = await db
      .select()
      .from(batches)
      .where(and(eq(batches.committer, coordinator), inArray(batches.state, ["committed", "drawn"])))
    for (const row of rows) await drawBatch(row)
  }

  async function drawBatch(row: BatchRow): Promise<void> {
    const [known] = await db
      .select({ seed: samples.seed })
      .from(samples)
      .where(eq(samples.batchId, row.batchId))
      .limit(1)
    if (known && known.seed === row.seed) return
    const seed = await readSeed(chain, row)
    if (!seed) return
    if (known?.seed !== seed) await storeSamples(row, seed)
    if (row.state === "committed") await keepSeed(row)
  }

  async function storeSamples(row: BatchRow, seed: Hex): Promise<void> {
    const [job] = await db.select().from(jobs).where(eq(jobs.jobId, row.jobId))
    if (!job) return
    const terms = parseTerms(job.terms)
    const executors = row.ranges.map((word) => unpackRange(BigInt(word)).worker)
    const { commitBlock } = row
    const owners = await readPanel(chain, { capability: terms.capability, commitBlock, seed, executors })
    const drawn = drawSamples({ seed, batch: row, terms, owners })
    const seen = await db
      .select({ account: workers.account })
      .from(workers)
      .where(gt(workers.lastSeen, new Date(Date.now() - ONLINE_MS)))
    const assigned = assignSamples(drawn, new Set<Address>(seen.map(({ account }) => account)))
    const until = chain.now() + patienceOf(deployment.params.attestLimit)
    await db.transaction(async (t) => {
      // Samples of another seed are of a fork that is gone; so are the verdicts on them.
      const gone = await t
        .delete(samples)
        .where(and(eq(samples.batchId, row.batchId), ne(samples.seed, seed)))
        .returning({ sample: samples.sample })
      if (gone.length > 0) await t.delete(verdicts).where(eq(verdicts.batchId, row.batchId))
      const rows = drawn.map((one) => ({
        ...one,
        batchId: row.batchId,
        seed,
        askedTo: assigned.get(one.sample) ?? null,
        askedUntil: until,
        state: "open" as const,
      }))
      // A statement takes 65,535 parameters; a large batch at a high rate has more samples than fit.
      for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
        await t
          .insert(samples)
          .values(rows.slice(at, at + ROWS_AT_ONCE))
          .onConflictDoNothing()
      }
    })
    const verifiers = new Set(assigned.values()).size
    log.info({ batchId: row.batchId, samples: drawn.length, verifiers }, "batch drawn, candidates are asked")
    wake.notify("verdict")
  }

  /** Attest draws by itself; only a batch whose seed would soon be lost needs a transaction of its own. */
  async function keepSeed(row: BatchRow): Promise<void> {
    const head = await chain.client.getBlockNumber()
    const from = await chain.client.readContract({
      address: deployment.contracts.beacon,
      abi: beaconAbi,
      functionName: "seedBlock",
      args: [BigInt(row.commitBlock)],
    })
    if (head < from + BigInt(DRAW_AFTER_BLOCKS)) return
    const call = drawCall({ market: deployment.contracts.market }, { batchId: row.batchId, batch: batchStruct(row) })
    if (await outbox.enqueue(db, call)) wake.notify("outbox")
  }

  return {
    step,
    start: (signal) => runLoop({ wake, log }, { name: "auditor", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
