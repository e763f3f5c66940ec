import type { Logger } from "pino"
import { dropExpiredGrants } from "./artifacts/access.ts"
import type { ArtifactStore } from "./artifacts/artifactStore.ts"
import { dropUnused } from "./artifacts/dropUnused.ts"
import { runLoop } from "./chain/loop.ts"
import type { Wake } from "./chain/wake.ts"
import { dropOldNonces } from "./http/auth.ts"
import { expireLeases } from "./leases/expireLeases.ts"
import type { LeaseDesk } from "./leases/leaseDesk.ts"
import type { Metrics } from "./metrics/metrics.ts"
import type { Feeder } from "./queue/feeder.ts"
import type { Db } from "./store/database.ts"
import type { WorkerBook } from "./workers/workerBook.ts"

export type HousekeepingDeps = {
  db: Db
  artifacts: Pick<ArtifactStore, "removeOlder">
  wake: Wake
  log: Logger
  feeder: Feeder
  desk: LeaseDesk
  book: WorkerBook
  metrics: Metrics
  watchWaiting: () => Promise<void>
  now: () => number
}

/** What happens by time alone: shards reach the queue, leases end, waiting jobs say why, old rows go. */
export async function runHousekeeping(deps: HousekeepingDeps, signal: AbortSignal): Promise<void> {
  const { db, artifacts, wake, feeder, desk, book, metrics, now } = deps
  const log = deps.log.child({ service: "housekeeping" })
  const loop = (name: string, everyMs: number, topics: Parameters<Wake["listen"]>[0], step: () => Promise<void>) =>
    runLoop({ wake, log }, { name, topics, everyMs, signal, step })
  // The database is the truth: whatever the queue still holds or has lost, it is told everything once.
  await feeder.rebuild()
  await Promise.all([
    loop("feeder", 1_000, ["tick", "shards"], async () => {
      await feeder.feed()
    }),
    loop("queueCheck", 30_000, [], () => feeder.check()),
    loop("leaseExpiry", 1_000, [], async () => {
      const expired = await expireLeases(db, now())
      if (expired.length === 0) return
      metrics.expired.inc(expired.length)
      for (const { worker } of expired) book.forget(worker as `0x${string}`)
      log.info({ leases: expired.length }, "leases ran out, their shards are queued again")
      wake.notify("shards")
    }),
    loop("workerBook", 2_000, [], async () => {
      await book.flush()
      desk.wake()
    }),
    loop("waiting", 5_000, [], deps.watchWaiting),
    loop("oldRows", 60_000, [], async () => {
      await dropOldNonces(db, now())
      await dropExpiredGrants(db, now())
    }),
    loop("unused", 600_000, [], async () => {
      const dropped = await dropUnused({ db, artifacts, now })
      if (dropped.jobs + dropped.artifacts > 0)
        log.info(dropped, "jobs that were never posted and bytes of no job are gone")
    }),
  ])
}
