import type { Backend } from "#engine"
import type { LeaseBundle } from "#protocol"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import { type LeaseRecord, recordHash } from "../records/record.ts"
import { type Channel, createChannel } from "../support/channel.ts"
import { pause } from "../support/sleep.ts"
import { type ComputedShard, computeShard } from "./computeShard.ts"
import { type DeliverDeps, deliverResult } from "./deliverResult.ts"
import { type GiveBackDeps, giveBack } from "./giveBack.ts"
import { acceptLease, type PreparedLease, type PrepareLeaseDeps, prepareLease } from "./prepareLease.ts"
import { signReceipt } from "./signReceipt.ts"

export type PipelineDeps = PrepareLeaseDeps &
  DeliverDeps &
  GiveBackDeps & {
    backend: Backend
    events: Events
    /** The reason to take no lease now, if there is one; it is told once, and asked again a little later. */
    gate: () => Promise<{ code: string; text: string } | undefined>
    askForLease: (signal: AbortSignal) => Promise<LeaseBundle | undefined>
    /** How long a refusal as the second process with this key must last to be believed; tests need not wait. */
    doubleMs?: number
  }

export type PipelineSignals = {
  /** No new leases; what is at hand is finished. */
  stopping: AbortSignal
  /** What is at hand is given back. */
  aborting: AbortSignal
}

const GATE_MS = 1000
const BACKOFF_MS = { base: 500, max: 20_000 }

/**
 * Three stages at once: the next shard is fetched and checked while this one is computed and the last one uploaded.
 * Each hands over one shard at a time, so a worker holds at most a lease per stage.
 */
export async function runPipeline(deps: PipelineDeps, signals: PipelineSignals): Promise<void> {
  const prepared = createChannel<PreparedLease>(1)
  const computed = createChannel<ComputedShard>(2)
  const pace = createPace()
  await Promise.all([
    fetchStage(deps, prepared, signals),
    computeStage(deps, { prepared, computed, pace }, signals),
    uploadStage(deps, computed, signals),
  ])
}

async function fetchStage(deps: PipelineDeps, prepared: Channel<PreparedLease>, signals: PipelineSignals) {
  const { stopping } = signals
  const double = createDoubleWatch(deps.doubleMs ?? DOUBLE_MS)
  let failures = 0
  try {
    while ((await prepared.room()) && !stopping.aborted) {
      const outcome = await fetchOne({ ...deps, double }, prepared, stopping)
      failures = outcome === "failed" ? failures + 1 : 0
      if (outcome === "gated") await pause(GATE_MS, stopping)
      if (failures > 0) await pause(Math.min(BACKOFF_MS.base * 2 ** failures, BACKOFF_MS.max), stopping)
    }
  } finally {
    // The stages behind finish what they have, also when this one ends by an error.
    prepared.close()
  }
}

type FetchOutcome = "gated" | "none" | "leased" | "failed"

async function fetchOne(
  deps: PipelineDeps & { double: DoubleWatch },
  prepared: Channel<PreparedLease>,
  signal: AbortSignal,
): Promise<FetchOutcome> {
  const { events } = deps
  let record: LeaseRecord | undefined
  try {
    const closed = await deps.gate()
    if (closed) {
      events.wait("lease", "refused", closed.code, closed.text)
      return "gated"
    }
    const bundle = await deps.askForLease(signal)
    deps.double.alone()
    if (!bundle) {
      events.wait("lease", "idle", "WORKER_READY", "the coordinator has no shard for this worker now")
      return "none"
    }
    record = await acceptLease(deps, bundle)
    const { lease, count } = bundle
    const { jobId, shard } = lease
    events.emit({ kind: "leased", jobId, shard, tasks: count, expiry: Number(lease.expiry) })
    prepared.put(await prepareLease(deps, record, signal))
    events.resume("lease")
    return "leased"
  } catch (error) {
    if (codeOf(error) === "E_WORKER_TWICE" && deps.double.isCertain()) throw error
    if (record) await returnLease(deps, record, signal.aborted ? stopped() : error)
    else if (!signal.aborted) events.wait("lease", "refused", codeOf(error), textOf(error))
    return signal.aborted ? "none" : "failed"
  }
}

type ComputeChannels = { prepared: Channel<PreparedLease>; computed: Channel<ComputedShard>; pace: Pace }

async function computeStage(
  deps: PipelineDeps,
  { prepared, computed, pace }: ComputeChannels,
  signals: PipelineSignals,
) {
  for (;;) {
    await computed.room()
    const next = await prepared.take()
    if (!next) break
    const { record } = next
    const { lease, count } = record.bundle
    try {
      if (signals.stopping.aborted) throw stopped()
      // A lease that cannot be kept goes back now, not when it has run out with the work half done.
      const needed = BigInt(Math.ceil(pace.expect(next.model.sha256, count) / 1000))
      if (deps.now() + needed >= lease.expiry) {
        throw workerError("E_LEASE_TIME", `the shard takes about ${needed} s, the lease ends earlier`)
      }
      const shard = await computeShard(deps, next, signals.aborting)
      pace.learn(next.model.sha256, count, shard.ms)
      deps.events.emit({ kind: "computed", jobId: lease.jobId, shard: lease.shard, tasks: count, ms: shard.ms })
      computed.put(shard)
    } catch (error) {
      await returnLease(deps, record, signals.aborting.aborted ? stopped() : error)
    }
  }
  computed.close()
}

async function uploadStage(deps: PipelineDeps, computed: Channel<ComputedShard>, { aborting }: PipelineSignals) {
  for (let shard = await computed.take(); shard; shard = await computed.take()) {
    const { record, leaseHash } = shard.prepared
    const { jobId, shard: number } = record.bundle.lease
    try {
      const signed = await signReceipt(deps, shard)
      await deliverResult(deps, { record: signed, attempts: 5, signal: aborting })
      const units = Number(signed.result.receipt.units)
      deps.events.emit({ kind: "receipt", jobId, shard: number, leaseHash, units })
    } catch (error) {
      // Without a receipt the lease can still be given back; with one it is sent again by resendResults.
      if (deps.records.get(leaseHash)?.state === "leased") await returnLease(deps, record, error)
      else if (!aborting.aborted) deps.events.emit({ kind: "refused", code: codeOf(error), text: textOf(error) })
    }
  }
}

async function returnLease(deps: PipelineDeps, record: LeaseRecord, cause: unknown): Promise<void> {
  deps.events.emit({ kind: "refused", code: codeOf(cause), text: textOf(cause) })
  try {
    // The record may have changed since, but a lease is given back only while it has no receipt.
    if (deps.records.get(recordHash(record))?.state === "leased") await giveBack(deps, { record, cause })
  } catch (error) {
    // It then ends by itself when its time is over.
    deps.events.fail(error)
  }
}

function stopped() {
  return workerError("E_WORKER_STOPPED", "the worker is shutting down")
}

/**
 * A coordinator refuses a second process with one key (R8). The first refusal may be the echo of our own last poll, on a
 * connection that broke; polls wait 20 s, so one that goes on for longer is another process, and this one must stop.
 */
type DoubleWatch = { alone(): void; isCertain(): boolean }
const DOUBLE_MS = 45_000

function createDoubleWatch(certainMs: number): DoubleWatch {
  let since: number | undefined
  return {
    alone: () => {
      since = undefined
    },
    isCertain: () => {
      since ??= performance.now()
      return performance.now() - since > certainMs
    },
  }
}

/** How long a task of a model takes here, as a moving average. */
type Pace = { expect(model: string, tasks: number): number; learn(model: string, tasks: number, ms: number): void }

function createPace(): Pace {
  const perTask = new Map<string, number>()
  return {
    expect: (model, tasks) => (perTask.get(model) ?? 0) * tasks,
    learn: (model, tasks, ms) => {
      const before = perTask.get(model)
      const now = ms / tasks
      perTask.set(model, before === undefined ? now : before * 0.7 + now * 0.3)
    },
  }
}
