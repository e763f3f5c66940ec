import type { Address } from "viem"
import { formatAmount, type LeaseBundle, type WorkerWelcome } from "#protocol"
import type { ArtifactCache } from "../artifacts/cache.ts"
import type { Chain } from "../chain/chain.ts"
import { workerError } from "../errors.ts"
import { standingBondReason } from "../join/checkCoordinator.ts"
import { limitReached, type WorkLimits } from "../leases/limits.ts"
import type { RecordStore } from "../records/store.ts"

export type GateDeps = {
  chain: Chain
  account: Address
  coordinator: Address
  records: RecordStore
  cache: ArtifactCache
  cacheBytes: number
  limits: WorkLimits
  isPaused: () => boolean
  /** What the coordinator said to the last hello. */
  welcome: () => WorkerWelcome | undefined
}

export type Reason = { code: string; text: string }

/** A bond that is there leaves only after notice; one that is not may be put down any moment. */
const BOND_FRESH_MS = { there: 30_000, missing: 2000 }

/** The reason to take no lease now, if there is one; the cheap questions first. */
export function createGate(deps: GateDeps): () => Promise<Reason | undefined> {
  let bond: { at: number; reason: Reason | undefined } | undefined
  return async () => {
    const { chain, coordinator, records, cache, cacheBytes, limits } = deps
    if (deps.isPaused()) return { code: "WORKER_PAUSED", text: "paused: no new leases until it is resumed" }
    const welcome = deps.welcome()
    if (!welcome) return { code: "E_COORDINATOR_DOWN", text: "the coordinator has not answered yet" }
    if (!welcome.ready) return welcome.refused[0] ?? { code: "E_WORKER_REFUSED", text: "the coordinator says no" }
    const limit = limitReached(records.all(), limits)
    if (limit) return limit
    if (cache.pinnedBytes() > cacheBytes * 0.9) {
      return { code: "WORKER_CACHE_FULL", text: "unfinished shards fill the artifact cache; raise its limit" }
    }
    const freshMs = bond?.reason ? BOND_FRESH_MS.missing : BOND_FRESH_MS.there
    if (!bond || performance.now() - bond.at > freshMs) {
      bond = { at: performance.now(), reason: await standingBondReason(chain, coordinator) }
    }
    return bond.reason
  }
}

/** R13: without free collateral for one more range the coordinator cannot commit what this worker would compute. */
export function createCollateralCheck({
  chain,
  account,
  coordinator,
}: Pick<GateDeps, "chain" | "account" | "coordinator">) {
  const needed = new Map<bigint, bigint>()
  let read: { at: number; free: bigint } | undefined
  return async ({ lease, terms }: LeaseBundle): Promise<void> => {
    const collateral = needed.get(lease.jobId) ?? (await chain.market.read.collateralOf([terms]))
    needed.set(lease.jobId, collateral)
    // Read anew for every few leases: tasks of milliseconds must not each wait for the chain.
    if (!read || performance.now() - read.at > 2000 || read.free < collateral) {
      const [free] = await chain.registry.read.pairOf([account, coordinator])
      read = { at: performance.now(), free }
    }
    if (read.free < collateral) {
      throw workerError(
        "WORKER_COLLATERAL",
        `a range of this job locks ${formatAmount(collateral)}, free with this coordinator are ${formatAmount(read.free)} (R13)`,
        { remedy: "reserve more: `assay reserve`" },
      )
    }
  }
}
