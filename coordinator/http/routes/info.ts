import { sql } from "drizzle-orm"
import type { Address, Hex } from "viem"
import { type CapabilityInfo, capabilityOf, type Deployment, type Info, InfoSchema, MEMORY_TIERS } from "#protocol"
import type { Limits, Policy } from "../../config.ts"
import type { Db } from "../../store/database.ts"
import { query } from "../../store/rows.ts"
import type { ChainView } from "../../workers/chainView.ts"
import { onlineWorkers } from "../../workers/viewWorkers.ts"
import type { App } from "../app.ts"

export type InfoRoutesDeps = {
  db: Db
  deployment: Deployment
  coordinator: Address
  sessionKey: Address
  policy: Policy
  limits: Limits
  view: Pick<ChainView, "seatsOf">
  version: string
  /** Workers that wait for a shard. */
  free: () => number
  now: () => number
}

export function infoRoutes(app: App, deps: InfoRoutesDeps): void {
  const description = "What this coordinator is, on which contracts it works, and what it takes."
  app.get("/v1/info", { schema: { description, response: { 200: InfoSchema } } }, async (): Promise<Info> => {
    const { deployment, policy, limits } = deps
    const [capabilities, online] = await Promise.all([readCapabilities(deps), onlineWorkers(deps.db)])
    return {
      version: deps.version,
      network: deployment.network,
      chainId: deployment.chainId,
      contracts: deployment.contracts,
      deployedBlock: deployment.deployedBlock,
      coordinator: deps.coordinator,
      sessionKey: deps.sessionKey,
      params: deployment.params,
      limits: {
        artifactBytes: limits.artifactBytes,
        modelBytes: limits.modelBytes,
        inputBytes: limits.inputBytes,
        tasksPerJob: limits.tasksPerJob,
        shardSizeMax: limits.shardSizeMax,
      },
      policy: {
        minFee: policy.minFee,
        coordinatorFee: policy.coordinatorFee,
        leaseSeconds: policy.leaseSeconds,
        batchMaxShards: policy.batchMaxShards,
        batchMaxAgeSeconds: policy.batchMaxAgeSeconds,
      },
      capabilities,
      workers: { online: online.length, free: deps.free() },
      chainTime: deps.now(),
    }
  })
}

/** The exact class, by memory tier; tolerant jobs are refused for now. */
async function readCapabilities({ db, view }: InfoRoutesDeps): Promise<CapabilityInfo[]> {
  const profile = "exact-cpu-1"
  return Promise.all(
    MEMORY_TIERS.map(async (memoryGiB) => {
      const capability = capabilityOf(profile, memoryGiB)
      const [{ seats, owners }, largestOwnerSeats] = await Promise.all([
        view.seatsOf(capability),
        largestOwner(db, capability),
      ])
      return { capability, profile, memoryGiB, seats, owners, largestOwnerSeats }
    }),
  )
}

/** The seats of the capability's largest owner: what R11's r is to be judged by. */
async function largestOwner(db: Db, capability: Hex): Promise<number> {
  const rows = await query<{ n: number }>(
    db,
    sql`WITH now AS (
        SELECT seats FROM seat_counts WHERE capability = ${capability} ORDER BY from_block DESC LIMIT 1
      ), held AS (
        SELECT DISTINCT ON (seat) seat, owner FROM seats
        WHERE capability = ${capability} AND seat < coalesce((SELECT seats FROM now), 0)
        ORDER BY seat, from_block DESC
      ) SELECT coalesce(max(n), 0)::int AS n FROM (SELECT count(*) AS n FROM held GROUP BY owner) AS by_owner`,
  )
  return rows[0]?.n ?? 0
}
