import type { Logger } from "pino"
import type { Address, Hex } from "viem"
import { collateralUp, formatJobId, isCodedError, type LeaseBundle, type Params } from "#protocol"
import type { Policy } from "../config.ts"
import { refuse } from "../errors.ts"
import type { JobContext, JobContexts } from "../jobs/jobContexts.ts"
import type { ShardQueue, TakenShard } from "../queue/shardQueue.ts"
import type { Db } from "../store/database.ts"
import { backlogOf } from "../workers/backlog.ts"
import type { ChainView } from "../workers/chainView.ts"
import { type Refused, refuseJob, refuseWorker } from "../workers/eligibility.ts"
import type { WorkerBook } from "../workers/workerBook.ts"
import { type GrantLeaseDeps, type GrantLeaseResult, grantLease } from "./grantLease.ts"

export type LeaseDeskDeps = GrantLeaseDeps & {
  db: Db
  queue: ShardQueue
  contexts: JobContexts
  book: WorkerBook
  view: ChainView
  params: Params
  policy: Policy
  /** Chain time. */
  now: () => number
  log: Logger
  onGranted?: (tasks: number) => void
}

export type LeaseWish = {
  worker: Address
  capability: Hex
  cachedModels: readonly Hex[]
  waitMs: number
  signal: AbortSignal
}

/**
 * Where workers wait for shards. Polls of one capability stand in one line and are served by one loop, so that a
 * thousand waiting workers cost one look at the queue. A worker that is refused waits as well: what keeps it from work
 * (collateral, a key in its first block) may change while it stands there, and its row says what it is.
 */
export type LeaseDesk = {
  /** A lease, or null when the wait is over. */
  ask(wish: LeaseWish): Promise<LeaseBundle | null>
  /** There may be work. */
  wake(capability?: Hex): void
  /** Workers that wait and are not refused. */
  free(): number
  close(): void
}

type Waiter = LeaseWish & {
  models: ReadonlySet<Hex>
  answer: (bundle: LeaseBundle | null) => void
  refused: boolean
  /** A lease is being written for it: it must not leave the line before the outcome is known. */
  held: boolean
  leaving: boolean
}
type Line = { waiters: Set<Waiter>; serving: boolean; again: boolean }

/** Shards that nobody in line may have are put aside for so long, and so many are tried, before the loop rests. */
const ASIDE_MS = 2_000
const MOST_ASIDE = 64
/** The line is looked at as often even if nobody wakes it: another replica may have queued something. */
const LOOK_MS = 1_000

type Holders = {
  of(job: JobContext, shard: number): Address | undefined
  note(job: JobContext, shard: number, worker: Address): void
}

const KEPT_HOLDERS = 10_000

/**
 * Who had the shard of this number in the requester's last job with the model: where jobs go on from one another, as the
 * rounds of a training run do, it has the shard's inputs from the job before.
 */
function createHolders(): Holders {
  const known = new Map<string, Address>()
  const key = ({ terms, spec }: JobContext, shard: number) => `${terms.requester} ${spec.model.sha256} ${shard}`
  return {
    of: (job, shard) => known.get(key(job, shard)),
    note(job, shard, worker) {
      known.delete(key(job, shard))
      known.set(key(job, shard), worker)
      for (const oldest of known.keys()) {
        if (known.size <= KEPT_HOLDERS) break
        known.delete(oldest)
      }
    },
  }
}

export function createLeaseDesk(deps: LeaseDeskDeps): LeaseDesk {
  const { db, queue, contexts, book, view, params, policy, now, log } = deps
  const lines = new Map<Hex, Line>()
  const holders = createHolders()
  let closed = false
  const timer = setInterval(() => wake(), LOOK_MS)
  timer.unref()

  function line(capability: Hex): Line {
    let found = lines.get(capability)
    if (!found) {
      found = { waiters: new Set(), serving: false, again: false }
      lines.set(capability, found)
    }
    return found
  }

  function wake(capability?: Hex): void {
    for (const [name, one] of lines) {
      if (capability !== undefined && name !== capability) continue
      if (one.waiters.size > 0) void serve(name, one)
      else if (!one.serving) lines.delete(name)
    }
  }

  async function serve(capability: Hex, one: Line): Promise<void> {
    if (one.serving) {
      one.again = true
      return
    }
    one.serving = true
    try {
      do {
        one.again = false
        await serveOnce(capability, one)
      } while (one.again && !closed)
    } catch (error) {
      log.error({ err: error, capability }, "leasing failed, will be tried again")
    } finally {
      one.serving = false
    }
  }

  /** Hands out shards until nobody is left who may have one, or nothing that they may have. */
  async function serveOnce(capability: Hex, one: Line): Promise<void> {
    // Who may work is asked only when there is work: an idle line of a thousand costs one look at the queue.
    let ready: Waiter[] | undefined
    let aside = 0
    while (one.waiters.size > 0 && aside < MOST_ASIDE && !closed) {
      const taken = await queue.take(capability)
      if (!taken) return
      try {
        ready = ready?.filter((waiter) => one.waiters.has(waiter)) ?? (await readyWaiters(capability, one))
        if (ready.length === 0) return await queue.giveBack(taken)
        if ((await handOut(taken, ready)) === "nobody") aside++
      } catch (error) {
        await queue.giveBack(taken, ASIDE_MS)
        throw error
      }
    }
  }

  async function readyWaiters(capability: Hex, one: Line): Promise<Waiter[]> {
    const ready: Waiter[] = []
    for (const waiter of one.waiters) {
      const reason = await refuseNow(waiter.worker, capability)
      waiter.refused = reason !== undefined
      if (reason) book.note(waiter.worker, [reason])
      else ready.push(waiter)
    }
    return ready
  }

  async function refuseNow(account: Address, capability: Hex): Promise<Refused | undefined> {
    const worker = await book.get(account)
    if (!worker) return { code: "WORKER_UNKNOWN", text: "say hello first" }
    const [pair, owner] = await Promise.all([view.pairOf(account), view.accountOf(worker.sessionKey)])
    return refuseWorker({ worker, capability, keyRegistered: owner === account, pair, at: new Date() })
  }

  async function handOut(taken: TakenShard, ready: readonly Waiter[]): Promise<"granted" | "stale" | "nobody"> {
    const job = await knownJob(taken.jobId)
    if (!job) {
      // An entry of a database that is no more: a queue outlives it where both are outside.
      await queue.done(taken)
      return "stale"
    }
    const seats = await view.seatsOf(taken.capability)
    // R25: a commit would revert, so nobody should compute for it yet.
    const enough = seats.seats >= params.minSeats && seats.owners >= params.minOwners
    // Whoever has what the shard needs loads nothing; among those the one who came first.
    const model = job.spec.model.sha256
    const had = holders.of(job, taken.shard)
    const rank = ({ worker, models }: Waiter) => 2 * Number(worker === had) + Number(models.has(model))
    const order = [...ready].sort((a, b) => rank(b) - rank(a))
    for (const waiter of enough ? order : []) {
      const refusal = await refuseFor(waiter.worker, job)
      if (refusal) {
        book.note(waiter.worker, [refusal])
        continue
      }
      if (!line(taken.capability).waiters.has(waiter)) continue
      waiter.held = true
      let result: GrantLeaseResult
      try {
        result = await grantLease(deps, {
          job,
          shard: taken.shard,
          attempt: taken.attempt,
          worker: waiter.worker,
          collateral: collateralUp(job.terms, params),
          now: now(),
        })
      } finally {
        waiter.held = false
      }
      if (result.outcome !== "granted") {
        if (result.outcome === "stale") await queue.done(taken)
        else await queue.giveBack(taken, result.seconds * 1_000)
        if (waiter.leaving) waiter.answer(null)
        return "stale"
      }
      book.note(waiter.worker, [])
      holders.note(job, taken.shard, waiter.worker)
      waiter.answer(result.bundle)
      await queue.done(taken)
      deps.onGranted?.(result.bundle.count)
      log.info(
        { jobId: formatJobId(job.jobId), shard: taken.shard, worker: waiter.worker, leaseHash: result.leaseHash },
        "lease granted",
      )
      return "granted"
    }
    await queue.giveBack(taken, ASIDE_MS)
    return "nobody"
  }

  async function knownJob(jobId: bigint): Promise<JobContext | undefined> {
    try {
      return await contexts.get(jobId)
    } catch (error) {
      if (isCodedError(error) && error.code === "E_JOB_UNKNOWN") return undefined
      throw error
    }
  }

  async function refuseFor(worker: Address, job: JobContext): Promise<Refused | undefined> {
    const [backlog, pair] = await Promise.all([backlogOf(db, worker), view.pairOf(worker)])
    const collaterals = new Map<bigint, bigint>()
    for (const { jobId } of backlog) {
      if (jobId !== job.jobId) collaterals.set(jobId, collateralUp((await contexts.get(jobId)).terms, params))
    }
    return refuseJob({
      terms: job.terms,
      jobId: job.jobId,
      backlog,
      collateralOf: (jobId) => collaterals.get(jobId) ?? 0n,
      pair,
      params,
      policy,
    })
  }

  return {
    async ask(wish) {
      book.seen(wish.worker)
      if (closed || wish.signal.aborted) return null
      const one = line(wish.capability)
      // One process asks once at a time, so the other question comes from another one with the same key (R8).
      for (const waiter of one.waiters) {
        if (waiter.worker === wish.worker && !waiter.signal.aborted) {
          throw refuse("E_WORKER_TWICE", "a second process with this key waits for work: stop one of them")
        }
      }
      return new Promise<LeaseBundle | null>((resolve) => {
        const answer = (bundle: LeaseBundle | null): void => {
          if (!one.waiters.delete(waiter)) return
          clearTimeout(timeout)
          wish.signal.removeEventListener("abort", leave)
          book.seen(wish.worker)
          resolve(bundle)
        }
        const leave = (): void => {
          if (waiter.held) waiter.leaving = true
          else answer(null)
        }
        const models = new Set(wish.cachedModels)
        const waiter: Waiter = { ...wish, models, answer, refused: false, held: false, leaving: false }
        const timeout = setTimeout(leave, wish.waitMs)
        wish.signal.addEventListener("abort", leave)
        one.waiters.add(waiter)
        void serve(wish.capability, one)
      })
    },
    wake,
    free() {
      let free = 0
      for (const { waiters } of lines.values()) for (const waiter of waiters) if (!waiter.refused) free++
      return free
    },
    close() {
      closed = true
      clearInterval(timer)
      for (const { waiters } of lines.values()) for (const waiter of [...waiters]) waiter.answer(null)
      lines.clear()
    },
  }
}
