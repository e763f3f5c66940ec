import { createHash } from "node:crypto"
import { join } from "node:path"
import { pino } from "pino"
import type { Address, Hex, TypedDataDomain } from "viem"
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import { capabilityOf, type Deployment, marketDomain, signRequest } from "#protocol"
import { openArtifactStore } from "../../../coordinator/artifacts/artifactStore.ts"
import type { Chain } from "../../../coordinator/chain/client.ts"
import { createWake } from "../../../coordinator/chain/wake.ts"
import type { Limits, Policy } from "../../../coordinator/config.ts"
import { createHasher } from "../../../coordinator/hashing/hasher.ts"
import { mountRoutes } from "../../../coordinator/http/mountRoutes.ts"
import { createServer } from "../../../coordinator/http/server.ts"
import { createInspector } from "../../../coordinator/jobs/inspectModelFile.ts"
import { createJobContexts } from "../../../coordinator/jobs/jobContexts.ts"
import { createLeaseDesk } from "../../../coordinator/leases/leaseDesk.ts"
import { createMetrics } from "../../../coordinator/metrics/metrics.ts"
import { createFeeder } from "../../../coordinator/queue/feeder.ts"
import { openQueue } from "../../../coordinator/queue/openQueue.ts"
import { openDatabase } from "../../../coordinator/store/database.ts"
import type { ChainView, Pair } from "../../../coordinator/workers/chainView.ts"
import { createWorkerBook } from "../../../coordinator/workers/workerBook.ts"

export const CAPABILITY = capabilityOf("exact-cpu-1", 2)
const address = (n: number): Address => `0x${n.toString(16).padStart(40, "0")}`

export const DEPLOYMENT: Deployment = {
  network: "local",
  chainId: 31_337,
  rpcUrl: "http://127.0.0.1:1",
  contracts: {
    token: address(1),
    registry: address(2),
    market: address(3),
    challenges: address(4),
    jury: address(5),
    game: address(7),
    referee: address(8),
    beacon: address(6),
    models: address(9),
  },
  deployedBlock: 1,
  genesisHash: `0x${"9".repeat(64)}`,
  params: {
    minCollateral: 1_000n,
    colluding: 3333,
    burnRate: 5000,
    reauditRate: 1000,
    attestLimit: 60,
    window: 8,
    clock: 20,
    maxLease: 60,
    claimPeriod: 60,
    minSeats: 4,
    minOwners: 3,
    seat: 10n ** 12n,
    standingBond: 1n,
    unbonding: 600,
    notice: 130,
    livenessSlash: 1n,
  },
}

const POLICY: Policy = {
  minFee: 10n,
  coordinatorFee: 1n,
  leaseSeconds: 60,
  batchMaxShards: 64,
  batchMaxAgeSeconds: 10,
  leasesPerWorker: 8,
  uncommittedUnitsPerWorker: 1_000_000,
  unpostedJobsPerAccount: 4,
}

const LIMITS: Limits = {
  artifactBytes: 1_000_000,
  modelBytes: 500_000,
  inputBytes: 100_000,
  tasksPerJob: 5_000,
  shardSizeMax: 1024,
  requestsPerMinute: 100_000,
  looseBytesPerAccount: 5_000_000,
  minFreeDiskBytes: 0,
}

export type Account = {
  /** Lower case, as everywhere in messages. */
  address: Address
  account: PrivateKeyAccount
  session: PrivateKeyAccount
}

export type ServiceOptions = {
  dir: string
  policy?: Partial<Policy>
  limits?: Partial<Limits>
  operatorToken?: string
  redisUrl?: string
  databaseUrl?: string
  /** An `s3://` URL; the artifacts are in `dir` without it. */
  bucketUrl?: string
}

/**
 * The service half of a coordinator on real stores, behind the seam to the chain: what the chain would answer is set
 * by the test, and time is the test's.
 */
export async function startService({ dir, operatorToken, redisUrl, databaseUrl, bucketUrl, ...given }: ServiceOptions) {
  const policy = { ...POLICY, ...given.policy }
  const limits = { ...LIMITS, ...given.limits }
  const database = await openDatabase({ databaseUrl, databaseDir: join(dir, "database") })
  const { db } = database
  const errors: Error[] = []
  const queue = await openQueue({ database, redisUrl, databaseUrl, onError: (error) => void errors.push(error) })
  const artifacts = await openArtifactStore({
    dir: join(dir, "artifacts"),
    minFreeBytes: limits.minFreeDiskBytes,
    bucket: bucketUrl ? { url: bucketUrl, cacheBytes: 1 << 24 } : undefined,
  })
  const hasher = createHasher()
  const log = pino({ level: process.env.TEST_LOG ?? "silent" })
  const domain: TypedDataDomain = marketDomain({ chainId: 31_337, market: DEPLOYMENT.contracts.market })
  const coordinator = privateKeyToAccount(`0x${"c".repeat(64)}`)
  const clock = { time: 1_800_000_000 }
  const now = () => clock.time

  // What the chain says.
  const keys = new Map<Address, Address>()
  const pairs = new Map<Address, Pair>()
  const seats = { seats: 4, owners: 3 }
  const posted = new Map<bigint, Hex>()
  const balances = new Map<Address, bigint>()
  const view: ChainView = {
    accountOf: async (key) => keys.get(key.toLowerCase() as Address),
    pairOf: async (account) => pairs.get(account) ?? { free: 0n, owed: 0n, noticeAt: 0, flags: 0 },
    seatsOf: async () => seats,
    seatCount: async () => 1,
    termsHashOf: async (jobId) => posted.get(jobId),
    balanceOf: async (account) => balances.get(account) ?? 10n ** 24n,
    forget: () => undefined,
  }

  const wake = createWake()
  const contexts = createJobContexts({ db, artifacts })
  const book = createWorkerBook({ db })
  const metrics = createMetrics({ db, free: () => desk.free(), now })
  const desk = createLeaseDesk({
    db,
    queue,
    contexts,
    book,
    view,
    params: DEPLOYMENT.params,
    policy,
    domain,
    sessionKey: coordinator,
    leaseSeconds: policy.leaseSeconds,
    now,
    log,
  })
  const feeder = createFeeder({ db, queue, now, onFed: (capability) => desk.wake(capability) })
  const reapplied: bigint[] = []
  const { app } = await createServer({
    auth: { db, domain, view, now },
    limits,
    metrics,
    log,
    version: "test",
    operatorToken,
    routes: (server, auth) =>
      mountRoutes(server, auth, {
        db,
        chain: { now, domain, deployment: DEPLOYMENT } as Chain,
        artifacts,
        hasher,
        inspect: createInspector(),
        contexts,
        book,
        desk,
        view,
        wake,
        metrics,
        deployment: DEPLOYMENT,
        domain,
        coordinator: coordinator.address.toLowerCase() as Address,
        sessionKey: coordinator.address,
        policy,
        limits,
        params: DEPLOYMENT.params,
        version: "test",
        now,
        log,
        explain: { db, view, params: DEPLOYMENT.params, now },
        reapplyJob: async (jobId) => void reapplied.push(jobId),
        checks: {},
      }),
  })

  function account(): Account {
    const [own, session] = [privateKeyToAccount(generatePrivateKey()), privateKeyToAccount(generatePrivateKey())]
    const lower = own.address.toLowerCase() as Address
    keys.set(session.address.toLowerCase() as Address, lower)
    return { address: lower, account: own, session }
  }

  let nonce = 0n
  type Send = {
    by?: Account
    json?: unknown
    bytes?: Uint8Array
    headers?: Record<string, string>
    expiry?: bigint
    nonce?: bigint
  }

  /** One signed (or, without `by`, unsigned) request through the whole HTTP stack. */
  async function send(
    method: "GET" | "POST" | "PUT",
    path: string,
    { by, json, bytes, headers, expiry, nonce: own }: Send = {},
  ) {
    const payload = bytes ? Buffer.from(bytes) : json === undefined ? undefined : Buffer.from(JSON.stringify(json))
    const signed = by
      ? await signRequest({
          account: by.address,
          signer: by.session,
          domain,
          method,
          path,
          body: method === "PUT" ? "streamed" : payload,
          nonce: own ?? ++nonce,
          expiry: expiry ?? BigInt(now() + 60),
        })
      : {}
    const type = bytes
      ? { "content-type": "application/octet-stream" }
      : payload
        ? { "content-type": "application/json" }
        : {}
    const response = await app.inject({
      method,
      url: path,
      headers: { ...type, ...signed, ...headers },
      ...(payload ? { payload } : {}),
    })
    const text = response.headers["content-type"]?.toString().startsWith("application/json")
    return {
      status: response.statusCode,
      body: text ? response.json() : undefined,
      raw: response.rawPayload,
      headers: response.headers,
    }
  }

  async function upload(by: Account, bytes: Uint8Array): Promise<Hex> {
    const sha256: Hex = `0x${createHash("sha256").update(bytes).digest("hex")}`
    const { status, body } = await send("PUT", `/v1/artifacts/${sha256}`, { by, bytes })
    if (status !== 200 && status !== 201) throw new Error(`upload: ${JSON.stringify(body)}`)
    return sha256
  }

  let closed: Promise<void> | undefined
  return {
    app,
    db,
    artifacts,
    queue,
    feeder,
    desk,
    book,
    clock,
    domain,
    coordinator,
    keys,
    pairs,
    seats,
    posted,
    balances,
    reapplied,
    errors,
    policy,
    account,
    send,
    upload,
    close() {
      closed ??= (async () => {
        await app.close()
        desk.close()
        await queue.close()
        await hasher.close()
        await database.close()
      })()
      return closed
    },
  }
}

export type Service = Awaited<ReturnType<typeof startService>>
