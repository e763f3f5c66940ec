import { join as joinPath } from "node:path"
import type { Hex, TypedDataDomain } from "viem"
import type { Runner } from "#engine"
import { EXACT_PROFILE } from "#engine"
import type { Profile, Signer, WorkerWelcome } from "#protocol"
import { createPeer } from "../api/peer.ts"
import { askForLease } from "../api/routes.ts"
import { auditLoop } from "../audits/loop.ts"
import { createBatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Clock } from "../chain/clock.ts"
import type { Sender } from "../chain/sender.ts"
import { watchChain } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import type { Hasher } from "../hashing/hasher.ts"
import { keyHolder } from "../join/checkCoordinator.ts"
import { join } from "../join/join.ts"
import { runPipeline } from "../leases/pipeline.ts"
import { resendLoop, returnAbandoned } from "../leases/resend.ts"
import type { Backends } from "../models/backends.ts"
import type { ModelChecks } from "../models/checkModel.ts"
import type { WorkerConfig } from "../options.ts"
import { withdrawWhenDue } from "../settlement/autoWithdraw.ts"
import { settle } from "../settlement/settle.ts"
import { createSingle } from "../support/single.ts"
import { meetCoordinator, rememberedCoordinator } from "./coordinator.ts"
import { createCollateralCheck, createGate } from "./gate.ts"
import { helloLoop } from "./hello.ts"
import type { State } from "./state.ts"

/** Everything that runWorker has built. */
export type Parts = State & {
  config: WorkerConfig
  chain: Chain
  sender: Sender
  clock: Clock
  hasher: Hasher
  runner: Runner
  backends: Backends
  models: ModelChecks
  signer: Signer
  domain: TypedDataDomain
  capability: Hex
  stopping: AbortSignal
  events: Events
  isPaused: () => boolean
}

const PROFILE: Profile = EXACT_PROFILE
const VERSION = "0.1.0"
const LEASE_WAIT_SECONDS = 20

/**
 * What goes on while a worker lives. Watching the chain begins first and ends last, and needs no coordinator: votes
 * and commits of one's own must go on when it is dead. Leases and audits end when the worker is told to stop.
 */
export async function runLoops(parts: Parts): Promise<void> {
  const { config, stopping } = parts
  const ending = new AbortController()
  const aborting = withGrace(stopping, config.graceMs)
  const { promise: fatal, reject: onFatal } = createRejection()
  const background: Promise<void>[] = []
  const beside = (loop: Promise<void>) => {
    background.push(loop)
    loop.catch(onFatal)
  }
  try {
    beside(watchLoop(parts, ending.signal))
    await Promise.race([workLoops(parts, { aborting: aborting.signal, ending: ending.signal, onFatal, beside }), fatal])
  } finally {
    ending.abort()
    aborting.cancel()
    await Promise.allSettled(background)
  }
}

type LoopSignals = {
  aborting: AbortSignal
  ending: AbortSignal
  onFatal: (error: unknown) => void
  /** Runs beside the work, and is waited for at the end. */
  beside: (loop: Promise<void>) => void
}

async function watchLoop(parts: Parts, signal: AbortSignal): Promise<void> {
  const { chain, config, records, events, clock, folder, sender } = parts
  const account = config.account.address
  const batches = createBatchBook(chain)
  const withdraw = createSingle(async () => {
    const coordinator = await rememberedCoordinator(folder)
    if (config.withdrawAt === undefined || !coordinator) return
    await withdrawWhenDue({ chain, sender }, { withdrawAt: config.withdrawAt, coordinators: [coordinator] })
  }, events.fail)
  await watchChain(chain, {
    cursorPath: joinPath(folder, "cursor"),
    signal,
    onEvent: async (event) => {
      batches.note(event)
      await settle({ chain, account, records, batches, emit: events.emit, now: clock.now }, event)
    },
    onHead: async ({ timestamp }) => {
      clock.observe(timestamp)
      events.resume("chain")
      withdraw()
    },
    onError: (error) => events.wait("chain", "refused", codeOf(error), `following the chain: ${textOf(error)}`),
  })
}

/** Meets the coordinator, joins, and then leases and audits until it is told to stop. */
async function workLoops(parts: Parts, { aborting, ending, onFatal, beside }: LoopSignals): Promise<void> {
  const { chain, config, sender, clock, events, stopping, signer, domain, capability, folder, records, cache } = parts
  const account = config.account.address
  const peer = createPeer({ url: config.coordinatorUrl, account, signer, domain, now: clock.now })
  const info = await meetCoordinator({ chain, peer, events }, { folder, signal: stopping })
  const { coordinator } = info
  const collateral = config.verifyOnly ? 0n : config.collateral
  const joining = { capability, coordinator, seats: config.seats, collateral, signal: stopping }
  await join({ chain, sender, session: config.session, events }, joining)

  let welcome: WorkerWelcome | undefined
  const deps = {
    ...parts,
    peer,
    account,
    now: clock.now,
    backend: parts.backends.work,
    auditBackend: parts.backends.audit,
    checkCollateral: createCollateralCheck({ chain, account, coordinator }),
    check: {
      chain: {
        termsHashOf: (jobId: bigint) => chain.market.read.termsHashOf([jobId]),
        accountOf: (key: Hex) => keyHolder(chain, key),
      },
      domain,
      account,
      coordinator,
      capability,
      maxLeaseSeconds: BigInt(config.deployment.params.maxLease),
      now: clock.now,
    },
    gate: createGate({
      chain,
      account,
      coordinator,
      records,
      cache,
      cacheBytes: config.cacheBytes,
      limits: config.limits,
      isPaused: parts.isPaused,
      welcome: () => welcome,
    }),
    askForLease: (signal: AbortSignal) =>
      askForLease(peer, { wait: LEASE_WAIT_SECONDS, capability, cachedModels: cachedModels(parts), signal }),
  }
  await returnAbandoned(deps, workerError("E_WORKER_STOPPED", "the worker was stopped in the middle of the shard"))
  const { threads, device, verifyOnly, publicUrl } = config
  const hello = {
    version: VERSION,
    sessionKey: signer.address,
    profiles: [{ profile: PROFILE, memoryGiB: config.memoryGiB, selfTest: "ok" as const }],
    threads,
    device,
    verifyOnly,
    ...(publicUrl ? { publicUrl } : {}),
  }
  const onWelcome = (next: WorkerWelcome) => {
    welcome = next
  }
  beside(helloLoop({ peer, events }, { hello, onWelcome, onFatal, signal: ending }))
  beside(resendLoop(deps, ending))
  await Promise.all([
    auditLoop(deps, { stopping, aborting, cachedModels: () => cachedModels(parts) }),
    ...(verifyOnly ? [] : [runPipeline(deps, { stopping, aborting })]),
  ])
}

/** A promise that only ever fails. */
function createRejection(): { promise: Promise<never>; reject: (error: unknown) => void } {
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<never>((_, fail) => {
    reject = fail
  })
  promise.catch(() => undefined)
  return { promise, reject }
}

/** Models are told apart from inputs by the leases that name them; at most what the message takes. */
function cachedModels({ cache, records }: Parts): Hex[] {
  const models = new Set(records.all().map(({ bundle }) => bundle.spec.model.sha256))
  return [...models].filter(cache.has).slice(-256)
}

/** Fires some time after the other; `cancel` ends the wait. */
function withGrace(stopping: AbortSignal, graceMs: number): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const begin = () => {
    timer = setTimeout(() => controller.abort(), graceMs)
  }
  if (stopping.aborted) begin()
  else stopping.addEventListener("abort", begin, { once: true })
  const cancel = () => {
    clearTimeout(timer)
    stopping.removeEventListener("abort", begin)
    controller.abort()
  }
  return { signal: controller.signal, cancel }
}
