import { and, asc, eq, inArray, isNull } from "drizzle-orm"
import type { Logger } from "pino"
import { type Address, encodeFunctionData, type Hex, zeroHash } from "viem"
import { beaconAbi, isReaudited, juryAbi, reauditors, reauditSeats, registryAbi } from "#protocol"
import { type BatchRow, parseTerms } from "../batches/batchRow.ts"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, events, jobs, reauditedBatches, reaudits, rounds, samples, verdicts } from "../store/schema.ts"
import { readBeacon } from "./draw.ts"

export type ReauditorDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type Reauditor = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

/** One second seed serves all batches that are attested by then: they are waited for a while, a part of the window. */
const GATHER_SHARE = 16
/** Block hashes are forgotten after so many blocks; a round whose seed nobody kept is lost. */
const SEED_LIFE_BLOCKS = 256n

/** Draws a share p_v of attested verdicts by a second seed, to be given again by other seats (R22). */
export function createReauditor({ db, chain, outbox, wake, log }: ReauditorDeps): Reauditor {
  const { client, deployment } = chain
  const { jury, beacon, registry } = deployment.contracts
  const coordinator = lower(chain.account.address)

  async function step(): Promise<void> {
    const { window, clock } = deployment.params
    const rows = await db
      .select({ batch: batches })
      .from(batches)
      .leftJoin(reauditedBatches, eq(reauditedBatches.batchId, batches.batchId))
      .where(
        and(
          eq(batches.committer, coordinator),
          inArray(batches.state, ["attested", "final"]),
          isNull(reauditedBatches.batchId),
        ),
      )
    const until = (attestTime: number | null) => (attestTime ?? 0) + window + clock
    const open = rows.map(({ batch }) => batch).filter(({ attestTime }) => chain.now() <= until(attestTime))
    if (open.length === 0) return
    const known = await db.select().from(rounds).orderBy(asc(rounds.round))
    let waitedFor = false
    for (const batch of open) {
      const attestTime = batch.attestTime ?? 0
      const found = await firstRound(known.filter(({ time }) => time > attestTime))
      if (found === "none") waitedFor ||= chain.now() >= attestTime + window / GATHER_SHARE
      else if (found !== "later") await drawAgain(batch, found)
    }
    if (waitedFor) await startRound(known.length)
  }

  async function startRound(next: number): Promise<void> {
    const data = encodeFunctionData({ abi: juryAbi, functionName: "startRound" })
    if (await outbox.enqueue(db, { key: `round:${next}`, kind: "round", to: jury, data })) wake.notify("outbox")
  }

  type Found = { round: number; seed: Hex }

  /** The first whose seed is there; `later` while one may still come. */
  async function firstRound(list: readonly { round: number; block: number }[]): Promise<Found | "later" | "none"> {
    for (const { round, block } of list) {
      const kept = await client.readContract({
        address: jury,
        abi: juryAbi,
        functionName: "roundOf",
        args: [BigInt(round)],
      })
      const seed = kept.seed === zeroHash ? await readBeacon(chain, block) : kept.seed
      if (seed) return { round, seed }
      const [head, from] = await Promise.all([
        client.getBlockNumber(),
        client.readContract({ address: beacon, abi: beaconAbi, functionName: "seedBlock", args: [BigInt(block)] }),
      ])
      if (head <= from + SEED_LIFE_BLOCKS) return "later"
    }
    return "none"
  }

  async function drawAgain(batch: BatchRow, { round, seed }: Found): Promise<void> {
    const { batchId } = batch
    const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, batch.jobId))
    if (!job) return
    const { capability } = parseTerms(job.terms)
    const used = await db
      .select({ sample: samples, first: verdicts.verifier })
      .from(verdicts)
      .innerJoin(samples, and(eq(samples.batchId, verdicts.batchId), eq(samples.sample, verdicts.sample)))
      .where(and(eq(verdicts.batchId, batchId), eq(verdicts.used, true)))
    const { reauditRate } = deployment.params
    const drawn = used.filter(({ sample }) => isReaudited({ seed, batchId, sample: sample.sample, reauditRate }))
    const ownerOf = await seatReader(capability, BigInt(batch.commitBlock))
    const found: { sample: typeof samples.$inferSelect; candidates: Address[] }[] = []
    for (const { sample, first } of drawn) {
      const seats = reauditSeats({ seed, batchId, sample: sample.sample }, ownerOf.seats)
      const owners = await Promise.all(seats.map(ownerOf.at))
      const candidates = reauditors({ owners, executor: sample.worker, first }).map(lower)
      // A capability that is wholly these two accounts' has nobody else to ask.
      if (candidates.length > 0) found.push({ sample, candidates })
    }
    const fresh = await db.transaction(async (t) => {
      const [marked] = await t
        .insert(reauditedBatches)
        .values({ batchId, round })
        .onConflictDoNothing()
        .returning({ batchId: reauditedBatches.batchId })
      if (!marked) return false
      for (const { sample, candidates } of found) {
        const { taskIndex, shard } = sample
        await t
          .insert(reaudits)
          .values({ batchId, sample: sample.sample, round, candidates, state: "open" })
          .onConflictDoNothing()
        const text = `round ${round} drew the verdict on task ${taskIndex} to be given again by another seat (R22)`
        await t.insert(events).values({ code: "REAUDIT_DRAWN", text, jobId: batch.jobId, batchId, shard, taskIndex })
      }
      return true
    })
    if (!fresh) return
    log.info({ batchId, round, verdicts: used.length, again: found.length }, "second draw")
    wake.notify("verdict")
  }

  /** Owners at the commit block, each seat read once. */
  async function seatReader(capability: Hex, block: bigint) {
    const at = { address: registry, abi: registryAbi } as const
    const seats = Number(await client.readContract({ ...at, functionName: "seatCountAt", args: [capability, block] }))
    const known = new Map<number, Promise<Address>>()
    return {
      seats,
      at(seat: number): Promise<Address> {
        const asked =
          known.get(seat) ??
          client.readContract({ ...at, functionName: "seatOwnerAt", args: [capability, BigInt(seat), block] })
        known.set(seat, asked)
        return asked
      },
    }
  }

  return {
    step,
    start: (signal) => runLoop({ wake, log }, { name: "reauditor", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
