import { randomUUID } from "node:crypto"
import { join } from "node:path"
import type { Queue } from "bullmq"
import { type Logger, pino } from "pino"
import { type Address, zeroHash } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { capabilityOf, isCodedError, type Signer } from "#protocol"
import { openArtifactStore } from "./artifacts/artifactStore.ts"
import { openChain } from "./chain/client.ts"
import { createWake } from "./chain/wake.ts"
import { createChainServices } from "./chainServices.ts"
import type { Config } from "./config.ts"
import { refuse } from "./errors.ts"
import { createHasher } from "./hashing/hasher.ts"
import { runHousekeeping } from "./housekeeping.ts"
import { mountRoutes } from "./http/mountRoutes.ts"
import { createServer } from "./http/server.ts"
import { createInspector } from "./jobs/inspectModelFile.ts"
import { createJobContexts } from "./jobs/jobContexts.ts"
import { createLeaseDesk } from "./leases/leaseDesk.ts"
import { createMetrics } from "./metrics/metrics.ts"
import { createFeeder } from "./queue/feeder.ts"
import { openQueue } from "./queue/openQueue.ts"
import { bindDeployment } from "./store/bindDeployment.ts"
import { openDatabase } from "./store/database.ts"
import { lockFolder } from "./store/lockFolder.ts"
import { VERSION } from "./version.ts"
import { createWaitingWatch } from "./why/watchWaiting.ts"
import { createChainView } from "./workers/chainView.ts"
import { createWorkerBook } from "./workers/workerBook.ts"

export type Coordinator = {
  /** Where it listens. */
  url: string
  account: Address
  /** Answers what it has begun, stops its loops, closes its stores. What is stored goes on after the next start. */
  close(): Promise<void>
}

export type StartOptions = { signal?: AbortSignal; log?: Logger }

/** The composition root: everything is built here, in order, and ends in the opposite one. */
export async function startCoordinator(
  config: Config,
  { signal, log = createLog(config) }: StartOptions = {},
): Promise<Coordinator> {
  const { deployment, policy, limits } = config
  const closing = new AbortController()
  // What was opened is closed in the opposite order, also when a later step of the start fails.
  const opened: { name: string; close: () => Promise<void> }[] = []
  const opens = (name: string, close: () => Promise<void>) => opened.push({ name, close })
  const closeAll = async () => {
    closing.abort()
    for (const { name, close } of opened.splice(0).reverse()) {
      await close().catch((error) => log.error({ err: error, part: name }, "closing failed"))
    }
  }

  try {
    const account = privateKeyToAccount(config.coordinatorKey)
    const session = privateKeyToAccount(config.sessionKey)
    const sessionKey: Signer & { sign: NonNullable<typeof session.sign> } = {
      address: session.address,
      sign: session.sign,
    }
    const coordinator = account.address.toLowerCase() as Address

    const chain = await openChain({ deployment, account, rpcUrl: config.rpcUrl })
    // With an outside Postgres replicas may share the folder, or have a bucket: artifacts never change.
    const unlock = config.databaseUrl ? undefined : lockFolder(config.dataDir)
    opens("lock", async () => unlock?.())
    const database = await openDatabase({
      databaseUrl: config.databaseUrl,
      databaseDir: join(config.dataDir, "database"),
      onError: (error) => log.warn({ err: error }, "a database connection dropped"),
    })
    opens("database", database.close)
    const { db } = database
    await bindDeployment(db, deployment, coordinator)
    const artifacts = await openArtifactStore({
      dir: join(config.dataDir, "artifacts"),
      minFreeBytes: limits.minFreeDiskBytes,
      bucket: config.bucket,
    })
    opens("artifacts", async () => artifacts.close())
    const hasher = createHasher()
    opens("hasher", hasher.close)

    let showQueue: ((queue: Queue) => void) | undefined
    const queue = await openQueue({
      redisUrl: config.redisUrl,
      databaseUrl: config.databaseUrl,
      database,
      // Queues of two deployments may share one Redis.
      prefix: `assay-${deployment.chainId}-${deployment.contracts.market.slice(2, 10)}`,
      onError: (error) => log.warn({ err: error }, "the queue's store failed"),
      onQueue: (opening) => showQueue?.(opening),
    })
    opens("queue", queue.close)

    const now = () => chain.now()
    const { domain } = chain
    const { params } = deployment
    const wake = createWake()
    const view = createChainView({ client: chain.client, contracts: deployment.contracts, coordinator })
    const contexts = createJobContexts({ db, artifacts })
    const book = createWorkerBook({ db })
    const metrics = createMetrics({ db, free: () => desk.free(), now })
    const desk = createLeaseDesk({
      db,
      queue,
      contexts,
      book,
      view,
      params,
      policy,
      domain,
      sessionKey,
      leaseSeconds: policy.leaseSeconds,
      now,
      log: log.child({ service: "leases" }),
      onGranted: (tasks) => {
        metrics.leases.inc()
        metrics.tasksLeased.inc(tasks)
      },
    })
    opens("leases", async () => desk.close())
    const feeder = createFeeder({ db, queue, now, onFed: (capability) => desk.wake(capability) })
    const explain = { db, view, params, now }
    const services = createChainServices(
      { db, chain, artifacts, wake, log },
      {
        holder: randomUUID(),
        sessionKey,
        batchMaxShards: policy.batchMaxShards,
        batchMaxAgeSeconds: policy.batchMaxAgeSeconds,
        onQueued: () => wake.notify("shards"),
      },
    )

    const server = await createServer({
      auth: { db, domain, view, now },
      limits,
      metrics,
      log,
      version: VERSION,
      operatorToken: config.operatorToken,
      routes: (app, auth) =>
        mountRoutes(app, auth, {
          db,
          chain,
          artifacts,
          hasher,
          inspect: createInspector(),
          contexts,
          book,
          desk,
          view,
          wake,
          metrics,
          deployment,
          domain,
          coordinator,
          sessionKey: session.address,
          policy,
          limits,
          params,
          version: VERSION,
          now,
          log,
          explain,
          reapplyJob: services.follower.reapplyJob,
          checks: {
            queue: async () => void (await queue.waiting(capabilityOf("exact-cpu-1", 2))),
            artifacts: async () => void (await artifacts.has(zeroHash)),
            chain: chain.check,
          },
        }),
    })
    showQueue = server.showQueue

    const loops = Promise.all([
      services.start(closing.signal),
      runHousekeeping(
        {
          db,
          artifacts,
          wake,
          log,
          feeder,
          desk,
          book,
          metrics,
          watchWaiting: createWaitingWatch({ ...explain, log }),
          now,
        },
        closing.signal,
      ),
    ])
    // A loop ends by itself only when something is wrong that no retry mends.
    loops.catch((error) => log.fatal({ err: error }, "a service stopped"))
    opens("loops", async () => {
      await loops
      await book.flush()
    })

    const { app } = server
    opens("server", () => app.close())
    const url = await listen(app, config)
    log.info(
      { url, coordinator, chainId: deployment.chainId, market: deployment.contracts.market },
      "coordinator ready",
    )

    let closed: Promise<void> | undefined
    const close = () => {
      closed ??= closeAll()
      return closed
    }
    if (signal?.aborted) await close()
    signal?.addEventListener("abort", () => void close(), { once: true })
    return { url, account: account.address, close }
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function listen(app: Awaited<ReturnType<typeof createServer>>["app"], { host, port }: Config): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === "EADDRINUSE" || code === "EACCES") {
      const why = code === "EADDRINUSE" ? "is in use" : "may not be opened by this user"
      throw refuse(
        "E_PORT_IN_USE",
        `port ${port} on ${host} ${why}: stop the other program or use --port`,
        { host, port },
        error,
      )
    }
    throw error
  }
}

function createLog({ logLevel }: Config): Logger {
  return pino({
    level: logLevel,
    // A peer's text is a field, and JSON escapes it: nothing of it can look like a line of ours.
    serializers: {
      // Fields by name: a library's error carries whatever it likes, viem's the whole ABI of the contract.
      err: (error: Error) => {
        const { type, message, stack } = pino.stdSerializers.err(error)
        return { type, message, stack, ...(isCodedError(error) ? { code: error.code, detail: error.detail } : {}) }
      },
    },
  })
}
