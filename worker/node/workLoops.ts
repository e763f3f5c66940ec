import type { Hex } from "viem"
import { EXACT_PROFILE } from "#engine"
import type { Profile, WorkerWelcome } from "#protocol"
import { askForLease } from "../api/routes.ts"
import { auditLoop } from "../audits/loop.ts"
import { workerError } from "../errors.ts"
import { keyHolder } from "../join/checkCoordinator.ts"
import { join } from "../join/join.ts"
import { runPipeline } from "../leases/pipeline.ts"
import { resendLoop, returnAbandoned } from "../leases/resend.ts"
import { meetCoordinator } from "./coordinator.ts"
import { createCollateralCheck, createGate } from "./gate.ts"
import { helloLoop } from "./hello.ts"
import type { Parts } from "./parts.ts"

const PROFILE: Profile = EXACT_PROFILE
const VERSION = "0.1.0"
const LEASE_WAIT_SECONDS = 20

export type LoopSignals = {
  aborting: AbortSignal
  ending: AbortSignal
  onFatal: (error: unknown) => void
  /** Runs beside the work, and is waited for at the end. */
  beside: (loop: Promise<void>) => void
}

/** Meets the coordinator, joins, and then leases and audits until it is told to stop. */
export async function workLoops(parts: Parts, { aborting, ending, onFatal, beside }: LoopSignals): Promise<void> {
  const { chain, config, sender, events, stopping, signer, domain, capability, folder, records, cache } = parts
  const { account, peer, now } = parts
  const info = await meetCoordinator({ chain, peer, events }, { folder, signal: stopping })
  const { coordinator } = info
  const collateral = config.verifyOnly ? 0n : config.collateral
  const joining = { capability, coordinator, seats: config.seats, collateral, signal: stopping }
  await join({ chain, sender, session: config.session, events }, joining)

  let welcome: WorkerWelcome | undefined
  const deps = {
    ...parts,
    backend: parts.backends.work,
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
      now,
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
  let greet = () => {}
  const greeted = new Promise<void>((resolve) => {
    greet = resolve
  })
  const onWelcome = (next: WorkerWelcome) => {
    welcome = next
    greet()
  }
  beside(helloLoop({ peer, events }, { hello, onWelcome, onFatal, signal: ending }))
  beside(resendLoop(deps, ending))
  await Promise.all([
    auditLoop(deps, { stopping, aborting, cachedModels: () => cachedModels(parts) }),
    ...(verifyOnly
      ? []
      : [Promise.race([greeted, aborted(stopping)]).then(() => runPipeline(deps, { stopping, aborting }))]),
  ])
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}

/** Models are told apart from inputs by the leases that name them; at most what the message takes. */
function cachedModels({ cache, records }: Parts): Hex[] {
  const models = new Set(records.all().map(({ bundle }) => bundle.spec.model.sha256))
  return [...models].filter(cache.has).slice(-256)
}
