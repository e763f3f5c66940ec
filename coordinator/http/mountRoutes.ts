import type { Logger } from "pino"
import type { Address, TypedDataDomain } from "viem"
import type { Deployment, Params } from "#protocol"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { createAuditDesk } from "../audits/auditDesk.ts"
import { batchViews } from "../batches/viewBatches.ts"
import type { Chain } from "../chain/client.ts"
import type { Wake } from "../chain/wake.ts"
import type { Limits, Policy } from "../config.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { InspectModelFile } from "../jobs/inspectModelFile.ts"
import type { JobContexts } from "../jobs/jobContexts.ts"
import type { LeaseDesk } from "../leases/leaseDesk.ts"
import type { Metrics } from "../metrics/metrics.ts"
import type { Db } from "../store/database.ts"
import { type ExplainJobDeps, explainJob } from "../why/explainJob.ts"
import type { ChainView } from "../workers/chainView.ts"
import type { WorkerBook } from "../workers/workerBook.ts"
import type { App, Auth } from "./app.ts"
import { artifactRoutes } from "./routes/artifacts.ts"
import { auditRoutes } from "./routes/audits.ts"
import { batchRoutes } from "./routes/batches.ts"
import { disputeRoutes } from "./routes/disputes.ts"
import { healthRoutes } from "./routes/health.ts"
import { infoRoutes } from "./routes/info.ts"
import { jobRoutes } from "./routes/jobs.ts"
import { leaseRoutes } from "./routes/leases.ts"
import { whyRoutes } from "./routes/why.ts"
import { workerRoutes } from "./routes/workers.ts"

export type RouteDeps = {
  db: Db
  chain: Chain
  artifacts: ArtifactStore
  hasher: Hasher
  inspect: InspectModelFile
  contexts: JobContexts
  book: WorkerBook
  desk: LeaseDesk
  view: ChainView
  wake: Wake
  metrics: Metrics
  deployment: Deployment
  domain: TypedDataDomain
  coordinator: Address
  sessionKey: Address
  policy: Policy
  limits: Limits
  params: Params
  version: string
  now: () => number
  log: Logger
  explain: ExplainJobDeps
  reapplyJob: (jobId: bigint) => Promise<void>
  checks: Record<string, () => Promise<void>>
}

/** Every route of the API. */
export function mountRoutes(app: App, auth: Auth, deps: RouteDeps): void {
  const { db, desk, wake, explain } = deps
  healthRoutes(app, deps)
  infoRoutes(app, { ...deps, free: desk.free })
  artifactRoutes(app, auth, deps)
  jobRoutes(app, auth, {
    ...deps,
    batchesOf: (jobId) => batchViews(db, jobId),
    reasonOf: async (job) => {
      const { code, text } = await explainJob(explain, job)
      return { code, text }
    },
  })
  workerRoutes(app, auth, deps)
  leaseRoutes(app, auth, {
    ...deps,
    onReceipt: () => wake.notify("receipt"),
    onQueued: () => wake.notify("shards"),
  })
  auditRoutes(app, auth, { ...deps, auditDesk: createAuditDesk(deps) })
  batchRoutes(app, auth, deps)
  disputeRoutes(app, auth, deps)
  whyRoutes(app, { ...explain, db, view: deps.view })
}
