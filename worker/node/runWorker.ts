import { join } from "node:path"
import { createRunnerPool, EXACT_PROFILE, type Runner, recordVectors, runSelfTest } from "#engine"
import { capabilityOf, LOCAL_CHAIN_ID, marketDomain, type Profile, type Signer } from "#protocol"
import { createPeers } from "../api/otherPeers.ts"
import { createPeer, isTransient } from "../api/peer.ts"
import { createCalls } from "../audits/calls.ts"
import { createVerdictDefence } from "../audits/defendVerdicts.ts"
import { createBatchBook } from "../chain/batches.ts"
import { openChain } from "../chain/chain.ts"
import { checkNetwork } from "../chain/checkNetwork.ts"
import { createClock } from "../chain/clock.ts"
import { createSender } from "../chain/sender.ts"
import { createVerdictStand } from "../disputes/standByVerdicts.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import { createHasher } from "../hashing/hasher.ts"
import { leaveSeats } from "../join/seats.ts"
import { createBackends } from "../models/backends.ts"
import { createModelChecks } from "../models/checkModel.ts"
import type { WorkerConfig } from "../options.ts"
import { takeLock } from "../support/lock.ts"
import { retry } from "../support/retry.ts"
import type { Parts } from "./parts.ts"
import { runLoops } from "./runLoops.ts"
import { openState, stateFolder } from "./state.ts"

export type RunParams = { stopping: AbortSignal; events: Events; isPaused: () => boolean }

const GIB = 1024 ** 3
const PROFILE: Profile = EXACT_PROFILE

/** Builds everything in order, runs it, and takes it down in the opposite order, whatever happened. */
export async function runWorker(config: WorkerConfig, params: RunParams): Promise<void> {
  const { stopping, events } = params
  const closers: (() => Promise<void>)[] = []
  try {
    await runLoops(await build(config, params, closers))
  } catch (error) {
    // A stop while it was still starting up is no failure.
    if (stopping.aborted && error === stopping.reason) return
    events.fail(error)
    throw error
  } finally {
    for (const close of closers.toReversed()) await close().catch((error: unknown) => events.fail(error))
  }
}

async function build(config: WorkerConfig, params: RunParams, closers: (() => Promise<void>)[]): Promise<Parts> {
  const { events } = params
  const { account, deployment, rpcUrl, session } = config
  const folder = stateFolder(config.home, deployment, account.address)
  const lock = await takeLock(join(folder, "worker.lock"))
  closers.push(() => lock.release())

  const chain = openChain({ rpcUrl, deployment })
  await patiently(params, () => checkNetwork(chain))
  const sender = createSender(chain, account)
  const runner = createRunnerPool({ processes: config.threads, memoryBytes: config.memoryGiB * GIB })
  closers.push(() => runner.close())
  const capability = capabilityOf(PROFILE, config.memoryGiB)
  await selfTest({ runner, events, ownChain: isOwnChain(config) }, async () => {
    await leaveSeats({ chain, sender, emit: events.emit }, capability)
  })

  const { timestamp } = await chain.client.getBlock({ blockTag: "latest" })
  const clock = createClock(timestamp)
  const state = await openState({ folder, cacheBytes: config.cacheBytes, now: timestamp })
  closers.push(() => state.journal.close())
  const hasher = createHasher()
  closers.push(() => hasher.close())
  const backends = await createBackends({ runner }, config.backend)
  closers.push(() => backends.close())
  const signer: Signer = { address: session.address, sign: (hash) => signHash(config, hash) }
  const domain = marketDomain({ chainId: deployment.chainId, market: deployment.contracts.market })
  const models = createModelChecks({ runner })
  const now = clock.now
  const open = (url: string) => createPeer({ url, account: account.address, signer, domain, now })
  const peer = open(config.coordinatorUrl)
  const ending = new AbortController()
  closers.push(async () => ending.abort())
  const others = createPeers({ open, isLocal: chain.isLocal })
  const batches = createBatchBook(chain)
  const beside = { chain, sender, events, signal: ending.signal }
  return {
    ...params,
    ...state,
    config,
    account: account.address,
    chain,
    sender,
    clock,
    now,
    batches,
    peer,
    peerOf: (url) => (url === "" ? peer : others(url)),
    hasher,
    runner,
    backends,
    auditBackend: backends.audit,
    models,
    defence: createVerdictDefence(beside),
    calls: createCalls({ ...beside, batches, account: account.address }),
    verdictStand: createVerdictStand({
      ...beside,
      account: account.address,
      batches,
      cache: state.cache,
      folder: join(folder, "audits"),
      peer,
      hasher,
      runner,
    }),
    signer,
    domain,
    capability,
  }
}

/** The local chain with a coordinator on this very machine; a worker that joins it from another one must match. */
function isOwnChain({ deployment, coordinatorUrl }: WorkerConfig): boolean {
  const { hostname } = new URL(coordinatorUrl)
  return deployment.chainId === LOCAL_CHAIN_ID && ["127.0.0.1", "localhost", "[::1]"].includes(hostname)
}

async function signHash({ session }: WorkerConfig, { hash }: Parameters<Signer["sign"]>[0]) {
  if (!session.sign) throw workerError("E_OPTIONS", "the session key cannot sign plain hashes")
  return await session.sign({ hash })
}

/** R25: no exact work, no seat, on a machine that differs; one that has come to differ leaves the draw. */
async function selfTest(
  { runner, events, ownChain }: { runner: Runner; events: Events; ownChain: boolean },
  leave: () => Promise<void>,
) {
  let { ok, failed } = await runSelfTest(runner)
  let text = failed.map(({ name, why }) => `${name}: ${why}`).join("; ")
  if (!ok && ownChain) {
    // Everyone on this chain is this machine, so its own answers are what "the same bits" means there. What must still
    // hold is that it gives them twice.
    text = `this machine differs from the public profile (${text}); on its own chain its own answers count`
    ;({ ok, failed } = await runSelfTest(runner, await recordVectors(runner, "this machine")))
    if (ok) return events.emit({ kind: "selfTest", ok, profile: PROFILE, text })
    text = failed.map(({ name, why }) => `${name}: ${why}`).join("; ")
  }
  events.emit(ok ? { kind: "selfTest", ok, profile: PROFILE } : { kind: "selfTest", ok, profile: PROFILE, text })
  if (ok) return
  await leave()
  throw workerError("WORKER_SELF_TEST", `this machine does not compute ${PROFILE}: ${text}`, {
    remedy: "nothing is lost; exact work needs a machine that passes (R25)",
  })
}

/** A chain that is down is waited for, and said to be. */
async function patiently<T>({ stopping, events }: RunParams, run: () => Promise<T>): Promise<T> {
  const result = await retry(run, {
    signal: stopping,
    attempts: Number.POSITIVE_INFINITY,
    baseMs: 500,
    maxMs: 5000,
    retryable: isTransient,
    onRetry: (error) => events.wait("start", "refused", codeOf(error), textOf(error)),
  })
  events.resume("start")
  return result
}
