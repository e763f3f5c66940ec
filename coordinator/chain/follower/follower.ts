import { and, desc, eq, lt, notInArray } from "drizzle-orm"
import type { Logger } from "pino"
import type { Address, Hex } from "viem"
import type { Db } from "../../store/database.ts"
import { chainBlocks, chainLogs, cursor, disputes } from "../../store/schema.ts"
import { type Chain, lower } from "../client.ts"
import { runLoop } from "../loop.ts"
import type { Outbox } from "../outbox/outbox.ts"
import type { Wake } from "../wake.ts"
import { applyChallenges, applyGame, applyJury } from "./applyDisputes.ts"
import { applyMarket } from "./applyMarket.ts"
import { applyRegistry } from "./applyRegistry.ts"
import type { ApplyContext } from "./context.ts"
import { type ChainEvent, decodeLog, jobSubject, type RawLog, type Subject, subjectOf } from "./logs.ts"
import { knownAccounts, refreshPairs } from "./pairSlots.ts"
import { reflectJob } from "./reflect.ts"
import { forgetAbove, logsOf, resetSubject } from "./replay.ts"

export type FollowerDeps = {
  db: Db
  chain: Chain
  wake: Wake
  log: Logger
  coordinator: Address
  /** Its mined transactions go back into flight when a reorg takes their blocks. */
  outbox?: Pick<Outbox, "rollback">
  /** Shards that became free again, or all of a job that was just posted: they wait in the database already. */
  onQueued?: (jobId: bigint) => void
}

export type FollowerOptions = { everyMs?: number; blocksAtOnce?: number }

export type Follower = {
  /** Applies what is new; true if anything was. */
  step(): Promise<boolean>
  /** How far it has come: block and chain time, undefined before the first block. */
  head(): Promise<{ block: number; time: number } | undefined>
  /** Applies a job's logs again: for one that was submitted after its posting was seen. */
  reapplyJob(jobId: bigint): Promise<void>
  start(signal: AbortSignal): Promise<void>
}

type BlockHead = { number: number; hash: Hex; time: number }

const CURSOR = "follower"
const BLOCKS_AT_ONCE = 2_000
/** Blocks without logs are kept this far back, so that the ancestor of a usual reorg is found exactly. */
const KEPT_BLOCKS = 512

/**
 * Applies the chain's events in order. A chunk's rows and the cursor change in one transaction, so a crash loses
 * nothing and repeats nothing; a reorg takes back the logs above the common ancestor and applies what is left of
 * their subjects again.
 */
export function createFollower(deps: FollowerDeps, options: FollowerOptions = {}): Follower {
  const { db, chain, wake, log } = deps
  const { deployment, client } = chain
  const { blocksAtOnce = BLOCKS_AT_ONCE } = options
  const coordinator = lower(deps.coordinator)
  const addresses = (["market", "registry", "challenges", "jury", "game"] as const).map(
    (name) => deployment.contracts[name],
  )

  async function step(): Promise<boolean> {
    const latest = await client.getBlock({ blockTag: "latest" })
    chain.observe(latest)
    const at = await position()
    if (at.hash !== undefined && at.number >= Number(latest.number) && at.hash === latest.hash) return false
    if (at.hash !== undefined && (await hashOf(at.number)) !== at.hash) {
      // Another chain is no reorg: its empty history must not wipe ours.
      await chain.checkGenesis()
      await rollback(at.number, await ancestorOf(at.number))
      return true
    }
    const from = at.number + 1
    const to = Math.min(Number(latest.number), at.number + blocksAtOnce)
    if (from > to) return false
    await apply(from, to)
    return true
  }

  async function position(): Promise<{ number: number; hash: Hex | undefined }> {
    const [row] = await db.select().from(cursor).where(eq(cursor.name, CURSOR))
    return row ? { number: row.block, hash: row.blockHash } : { number: deployment.deployedBlock - 1, hash: undefined }
  }

  /** Replicas follow at the same time: the cursor's row is their lock, and who comes late does nothing. */
  async function isStillAt(at: Db, block: number): Promise<boolean> {
    const [row] = await at.select().from(cursor).where(eq(cursor.name, CURSOR)).for("update")
    return (row?.block ?? deployment.deployedBlock - 1) === block
  }

  async function hashOf(number: number): Promise<Hex | undefined> {
    try {
      return (await client.getBlock({ blockNumber: BigInt(number) })).hash
    } catch (error) {
      // A fork that is shorter than what we have seen has no such block.
      if (error instanceof Error && error.name === "BlockNotFoundError") return undefined
      throw error
    }
  }

  async function headerOf(number: number): Promise<BlockHead> {
    const block = await client.getBlock({ blockNumber: BigInt(number) })
    return { number, hash: block.hash, time: Number(block.timestamp) }
  }

  // ---------------------------------------------------------------- forwards

  async function apply(from: number, to: number): Promise<void> {
    const head = await headerOf(to)
    const found = await client.getLogs({ address: addresses, fromBlock: BigInt(from), toBlock: BigInt(to) })
    const headers = new Map<number, BlockHead>([[to, head]])
    for (const number of new Set(found.map((entry) => Number(entry.blockNumber)))) {
      if (!headers.has(number)) headers.set(number, await headerOf(number))
    }
    // The chain may have moved between the calls: a log of another fork must not be applied under this head.
    const stale = found.some((entry) => headers.get(Number(entry.blockNumber))?.hash !== entry.blockHash)
    if (stale || (await hashOf(to)) !== head.hash) return

    const logs: RawLog[] = found.map((entry) => ({
      block: Number(entry.blockNumber),
      blockHash: entry.blockHash,
      logIndex: entry.logIndex,
      tx: entry.transactionHash,
      contract: lower(entry.address),
      topics: entry.topics,
      data: entry.data,
    }))
    const touched = new Set<Address>()
    const queued = new Set<bigint>()
    const applied = await db.transaction(async (t) => {
      if (!(await isStillAt(t, from - 1))) return false
      const changed = new Set<bigint>()
      for (const entry of logs) {
        const event = decodeLog(deployment.contracts, entry)
        const subject = event && (await subjectOf(event, (id) => batchOfDispute(t, id)))
        if (!event || !subject) continue
        if (subject.startsWith("job:") && !(await isOurs(t, event, subject))) {
          touchForeign(event, touched)
          continue
        }
        await t.insert(chainLogs).values({ ...entry, event: event.eventName, subject })
        const time = headers.get(entry.block)!.time
        await applyEvent(contextOf(t, { ...entry, time }, touched, false), event)
        if (subject.startsWith("job:")) changed.add(BigInt(subject.slice(4)))
      }
      for (const jobId of changed) if ((await reflectJob(t, jobId)).requeued.length > 0) queued.add(jobId)
      for (const header of headers.values()) await keepHeader(t, header)
      await prune(t, to)
      await t
        .insert(cursor)
        .values({ name: CURSOR, block: head.number, blockHash: head.hash, time: head.time })
        .onConflictDoUpdate({
          target: cursor.name,
          set: { block: head.number, blockHash: head.hash, time: head.time },
        })
      for (const jobId of changed) queued.add(jobId)
      return true
    })
    if (!applied) return
    await refreshPairs({ db, chain, coordinator }, touched)
    for (const jobId of queued) deps.onQueued?.(jobId)
    wake.notify("tick")
  }

  function contextOf(
    at: Db,
    entry: Pick<RawLog, "block" | "tx"> & { time: number },
    touched: Set<Address>,
    quiet: boolean,
  ): ApplyContext {
    return {
      db: at,
      deployment,
      coordinator,
      block: entry.block,
      time: entry.time,
      tx: entry.tx,
      quiet,
      touchPair(account, other) {
        if (lower(other) === coordinator) touched.add(lower(account))
      },
    }
  }

  async function applyEvent(context: ApplyContext, event: ChainEvent): Promise<void> {
    if (event.source === "market") return applyMarket(context, event)
    if (event.source === "registry") return applyRegistry(context, event)
    if (event.source === "challenges") return applyChallenges(context, event)
    if (event.source === "game") return applyGame(context, event)
    return applyJury(context, event)
  }

  /** A job is ours from its posting on; every later log of it finds that one stored. */
  async function isOurs(at: Db, event: ChainEvent, subject: Subject): Promise<boolean> {
    if (event.source === "market" && event.eventName === "JobPosted")
      return lower(event.args.coordinator) === coordinator
    const [known] = await at
      .select({ block: chainLogs.block })
      .from(chainLogs)
      .where(and(eq(chainLogs.subject, subject), eq(chainLogs.event, "JobPosted")))
      .limit(1)
    return known !== undefined
  }

  /** A worker may back its own batch of another coordinator's job with its slot here (R18). */
  function touchForeign(event: ChainEvent, touched: Set<Address>): void {
    if (event.source !== "market" || event.eventName !== "BatchCommitted") return
    if (lower(event.args.batch.backer) === coordinator) touched.add(lower(event.args.batch.committer))
  }

  // ---------------------------------------------------------------- backwards

  async function ancestorOf(above: number): Promise<number> {
    const rows = await db
      .select()
      .from(chainBlocks)
      .where(lt(chainBlocks.number, above))
      .orderBy(desc(chainBlocks.number))
    for (const row of rows) if ((await hashOf(row.number)) === row.hash) return row.number
    return deployment.deployedBlock - 1
  }

  async function rollback(from: number, ancestor: number): Promise<void> {
    const touched = new Set(await knownAccounts(db, coordinator))
    const queued = new Set<bigint>()
    await db.transaction(async (t) => {
      if (!(await isStillAt(t, from))) return
      const [block] = await t.select().from(chainBlocks).where(eq(chainBlocks.number, ancestor))
      const subjects = await forgetAbove(t, ancestor)
      for (const subject of subjects) await replay(t, subject, touched)
      await deps.outbox?.rollback(t, ancestor)
      if (block) {
        await t
          .update(cursor)
          .set({ block: block.number, blockHash: block.hash, time: block.time })
          .where(eq(cursor.name, CURSOR))
      } else await t.delete(cursor).where(eq(cursor.name, CURSOR))
      for (const subject of subjects) if (subject.startsWith("job:")) queued.add(BigInt(subject.slice(4)))
      log.warn({ ancestor, subjects: subjects.length }, "the chain was reorganised: rolled back to the common ancestor")
    })
    await refreshPairs({ db, chain, coordinator }, touched)
    for (const jobId of queued) deps.onQueued?.(jobId)
    wake.notify("tick")
  }

  async function replay(at: Db, subject: Subject, touched: Set<Address>): Promise<void> {
    await resetSubject(at, subject)
    for (const entry of await logsOf(at, subject)) {
      const event = decodeLog(deployment.contracts, entry)
      if (event) await applyEvent(contextOf(at, entry, touched, true), event)
    }
    if (subject.startsWith("job:")) await reflectJob(at, BigInt(subject.slice(4)))
  }

  return {
    step,
    async head() {
      const [row] = await db.select().from(cursor).where(eq(cursor.name, CURSOR))
      return row && { block: row.block, time: row.time }
    },
    async reapplyJob(jobId) {
      const touched = new Set<Address>()
      await db.transaction((t) => replay(t, jobSubject(jobId), touched))
      deps.onQueued?.(jobId)
      wake.notify("tick")
    },
    async start(signal) {
      // A crash may have come between a chunk and the slots that it touched.
      await refreshPairs({ db, chain, coordinator }, [coordinator, ...(await knownAccounts(db, coordinator))])
      const { everyMs = deployment.chainId === 31_337 ? 250 : 2_000 } = options
      await runLoop(
        { wake, log },
        {
          name: "follower",
          topics: ["outbox"],
          everyMs,
          signal,
          async step() {
            while (!signal.aborted && (await step())) {
              // One chunk after another until the head is reached.
            }
          },
        },
      )
    },
  }
}

async function batchOfDispute(db: Db, disputeId: bigint): Promise<bigint | undefined> {
  const [row] = await db.select({ id: disputes.batchId }).from(disputes).where(eq(disputes.disputeId, disputeId))
  return row?.id
}

async function keepHeader(db: Db, header: BlockHead): Promise<void> {
  const { number, hash, time } = header
  await db
    .insert(chainBlocks)
    .values({ number, hash, time })
    .onConflictDoUpdate({ target: chainBlocks.number, set: { hash, time } })
}

/** Blocks with logs stay: replays need their times. */
async function prune(db: Db, head: number): Promise<void> {
  if (head % 64 !== 0) return
  const needed = db.select({ block: chainLogs.block }).from(chainLogs)
  await db
    .delete(chainBlocks)
    .where(and(lt(chainBlocks.number, head - KEPT_BLOCKS), notInArray(chainBlocks.number, needed)))
}
