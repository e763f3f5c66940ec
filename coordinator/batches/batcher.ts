import { and, asc, desc, eq, inArray } from "drizzle-orm"
import type { Logger } from "pino"
import type { Address } from "viem"
import { collateralUp, encodeBatchShards, formatAmount, type Terms, unpackRange } from "#protocol"
import { registerArtifact } from "../artifacts/access.ts"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { type Chain, lower } from "../chain/client.ts"
import { readPair } from "../chain/follower/pairSlots.ts"
import { runLoop } from "../chain/loop.ts"
import { outboxCall } from "../chain/outbox/call.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batchPlans, events, jobs, shards } from "../store/schema.ts"
import { batchShards, storedShards } from "./batchData.ts"
import { parseTerms } from "./batchRow.ts"
import { commitCall } from "./calls.ts"
import type { Funds } from "./funds.ts"
import { buildBatch, chooseShards } from "./plan.ts"

export type BatcherDeps = {
  db: Db
  chain: Chain
  artifacts: Pick<ArtifactStore, "putBytes">
  outbox: Outbox
  funds: Funds
  wake: Wake
  log: Logger
}

export type BatcherOptions = { maxShards: number; maxAgeMs: number; everyMs?: number }

export type Batcher = {
  /** Plans what is due, and drops plans whose commit was given up. */
  step(): Promise<void>
  start(signal: AbortSignal): Promise<void>
}

type JobRow = typeof jobs.$inferSelect

const LONGEST_PAUSE_S = 300
const REST_MS = 200

/** Puts stored receipts into batches and queues their commits (R17). Plans and calls are written together. */
export function createBatcher(deps: BatcherDeps, options: BatcherOptions): Batcher {
  const { db, chain, artifacts, outbox, funds, wake, log } = deps
  const { deployment } = chain
  const coordinator = lower(chain.account.address)
  /** Workers that were left out, so that the log says it once and not every second. */
  const short = new Set<string>()

  async function step(): Promise<void> {
    await dropFailed()
    const waiting = await db
      .selectDistinct({ jobId: shards.jobId })
      .from(shards)
      .where(eq(shards.state, "received"))
      .orderBy(asc(shards.jobId))
    for (const { jobId } of waiting) {
      const [job] = await db.select().from(jobs).where(eq(jobs.jobId, jobId))
      if (job && (job.state === "open" || job.state === "closed")) await planJob(job)
    }
  }

  async function dropFailed(): Promise<void> {
    const plans = await db.select().from(batchPlans).where(eq(batchPlans.state, "planned"))
    for (const plan of plans) {
      const call = await outboxCall({ db, sender: outbox.sender }, `commit:${plan.id}`)
      if (call?.state !== "failed") continue
      const reason = call.error ?? "the commit was given up"
      await db.transaction(async (t) => {
        const dropped = await t
          .update(batchPlans)
          .set({ state: "failed", reason })
          .where(and(eq(batchPlans.id, plan.id), eq(batchPlans.state, "planned")))
          .returning({ id: batchPlans.id })
        if (dropped.length === 0) return
        const text = `a batch of ${plan.leases.length} shards could not be committed: ${reason}`
        await t.insert(events).values({ code: "COMMIT_FAILED", text, jobId: plan.jobId })
      })
      log.warn({ jobId: plan.jobId, plan: plan.id, reason }, "commit given up, its shards wait for another batch")
    }
  }

  async function planJob(job: JobRow): Promise<void> {
    if (await pausing(job.jobId)) return
    const rows = await db.select().from(shards).where(eq(shards.jobId, job.jobId)).orderBy(asc(shards.shard))
    const planned = await plannedShards(job.jobId)
    const terms = parseTerms(job.terms)
    const received = rows.filter(({ state, shard }) => state === "received" && !planned.has(shard))
    const over = job.closedAt !== null || chain.now() > Number(terms.deadline)
    // Nothing that is merely queued will be leased any more once the job is over.
    const pending = rows
      .filter(({ state }) => state === "leased" || (state === "queued" && !over))
      .map(({ shard }) => shard)
    const choose = (ready: typeof received) =>
      chooseShards({
        ready: ready.map(({ shard, receivedAt }) => ({ shard, receivedAtMs: receivedAt?.getTime() ?? 0 })),
        pending,
        nowMs: Date.now(),
        maxShards: options.maxShards,
        maxAgeMs: options.maxAgeMs,
      })
    // The chain is asked about collateral only where something is due.
    if (!choose(received)) return
    const chosen = choose(await withCollateral(terms, job.jobId, received))
    if (chosen) await plan(job, terms, chosen)
  }

  /** After failures each further try waits longer: what reverts for good must not be planned in a circle. */
  async function pausing(jobId: bigint): Promise<boolean> {
    const last = await db
      .select({ state: batchPlans.state, createdAt: batchPlans.createdAt })
      .from(batchPlans)
      .where(eq(batchPlans.jobId, jobId))
      .orderBy(desc(batchPlans.id))
      .limit(8)
    const good = last.findIndex(({ state }) => state !== "failed")
    const failures = good < 0 ? last.length : good
    if (failures === 0) return false
    const pauseMs = Math.min(LONGEST_PAUSE_S, 5 * 2 ** failures) * 1000
    return Date.now() - last[0]!.createdAt.getTime() < pauseMs
  }

  async function plannedShards(jobId: bigint): Promise<Set<number>> {
    const rows = await db
      .select({ leases: batchPlans.leases })
      .from(batchPlans)
      .where(and(eq(batchPlans.jobId, jobId), eq(batchPlans.state, "planned")))
    return new Set(rows.flatMap(({ leases }) => leases.map(({ shard }) => shard)))
  }

  /** Leaves out workers whose slot does not cover one more range (R11, R13): the commit would revert for all. */
  async function withCollateral(terms: Terms, jobId: bigint, rows: (typeof shards.$inferSelect)[]) {
    const needed = collateralUp(terms, deployment.params)
    const reserved = await reservedByWorker()
    const able = new Map<Address, boolean>()
    for (const worker of new Set(rows.map((row) => row.worker).filter((one) => one !== null))) {
      const { free, flags } = await readPair(chain, worker, coordinator)
      const enough = free - (reserved.get(worker) ?? 0n) >= needed && (flags & 1) === 0
      able.set(worker, enough)
      await tellShort({ jobId, worker, enough, free, needed })
    }
    return rows.filter(({ worker }) => worker !== null && able.get(worker) === true)
  }

  /** What plans that are not on chain yet will lock, by worker. */
  async function reservedByWorker(): Promise<Map<Address, bigint>> {
    const rows = await db
      .select({ ranges: batchPlans.ranges, terms: jobs.terms })
      .from(batchPlans)
      .innerJoin(jobs, eq(jobs.jobId, batchPlans.jobId))
      .where(eq(batchPlans.state, "planned"))
    const sums = new Map<Address, bigint>()
    for (const row of rows) {
      const collateral = collateralUp(parseTerms(row.terms), deployment.params)
      for (const word of row.ranges) {
        const worker = lower(unpackRange(BigInt(word)).worker)
        sums.set(worker, (sums.get(worker) ?? 0n) + collateral)
      }
    }
    return sums
  }

  type ShortParams = { jobId: bigint; worker: Address; enough: boolean; free: bigint; needed: bigint }

  async function tellShort({ jobId, worker, enough, free, needed }: ShortParams): Promise<void> {
    const key = `${jobId}/${worker}`
    if (enough) {
      short.delete(key)
      return
    }
    if (short.has(key)) return
    short.add(key)
    const text = `its finished shards wait: a range locks ${formatAmount(needed)}, of which ${formatAmount(free)} is free with this coordinator (R11)`
    await db.insert(events).values({ code: "WORKER_COLLATERAL", text, jobId, worker })
    log.warn({ jobId, worker, free, needed }, "collateral too short for a range")
  }

  async function plan(job: JobRow, terms: Terms, chosen: readonly number[]): Promise<void> {
    const { jobId } = job
    const leaseHashes = await db
      .select({ leaseHash: shards.leaseHash })
      .from(shards)
      .where(and(eq(shards.jobId, jobId), inArray(shards.shard, [...chosen])))
    const stored = await storedShards(
      db,
      leaseHashes.map(({ leaseHash }) => leaseHash).filter((hash) => hash !== null),
    )
    if (stored.length !== chosen.length) return
    const built = buildBatch(
      stored.map(({ receipt }) => ({
        shard: receipt.shard,
        worker: receipt.worker,
        shardRoot: receipt.shardRoot,
        units: BigInt(receipt.units),
      })),
    )
    const collateral = collateralUp(terms, deployment.params)
    const outstanding = [...(await reservedByWorker()).values()].reduce((sum, amount) => sum + amount, 0n)
    if (!(await funds.ensureBond(outstanding + collateral * BigInt(built.ranges.length)))) {
      log.info({ jobId }, "the bond is being topped up before the next commit")
      return
    }
    const bytes = encodeBatchShards(batchShards(jobId, stored))
    const dataHash = await artifacts.putBytes(bytes)
    await registerArtifact(db, { sha256: dataHash, bytes: bytes.length })
    const done = await db.transaction(async (t) => {
      // Another replica may have planned the same shards meanwhile: the job's row is the lock.
      await t.select({ jobId: jobs.jobId }).from(jobs).where(eq(jobs.jobId, jobId)).for("update")
      const free = await t
        .select({ shard: shards.shard })
        .from(shards)
        .where(and(eq(shards.jobId, jobId), eq(shards.state, "received"), inArray(shards.shard, [...chosen])))
      const others = await t
        .select({ leases: batchPlans.leases })
        .from(batchPlans)
        .where(and(eq(batchPlans.jobId, jobId), eq(batchPlans.state, "planned")))
      const taken = new Set(others.flatMap(({ leases }) => leases.map(({ shard }) => shard)))
      if (free.length !== chosen.length || chosen.some((shard) => taken.has(shard))) return false
      const [row] = await t
        .insert(batchPlans)
        .values({
          jobId,
          firstShard: built.firstShard,
          root: built.root,
          ranges: built.ranges.map(String),
          leases: stored.map(({ receipt }) => ({ shard: receipt.shard, leaseHash: receipt.leaseHash })),
          dataHash,
          state: "planned",
        })
        .returning({ id: batchPlans.id })
      await outbox.enqueue(
        t,
        commitCall({ market: deployment.contracts.market }, { planId: row!.id, terms, jobId, ...built, dataHash }),
      )
      return true
    })
    if (!done) return
    log.info({ jobId, shards: chosen.length, workers: built.ranges.length }, "batch planned")
    wake.notify("outbox")
  }

  return {
    step,
    start: (signal) =>
      runLoop(
        { wake, log },
        {
          name: "batcher",
          topics: ["receipt", "tick", "outbox"],
          everyMs: options.everyMs ?? Math.max(REST_MS, Math.min(1_000, options.maxAgeMs)),
          // A receipt a millisecond must not mean a look at the whole job a millisecond.
          restMs: REST_MS,
          signal,
          step,
        },
      ),
  }
}
