import { readFileSync } from "node:fs"
import { Wallet } from "ethers"
import type { Hex } from "viem"
import { z } from "zod"
import { type Deployment, DeploymentSchema } from "#protocol"
import { isBucketUrl } from "./artifacts/bucket.ts"
import { refuse } from "./errors.ts"

const MIB = 1024 ** 2

/** What the coordinator asks for and grants; GET /v1/info shows it. */
export type Policy = {
  minFee: bigint
  coordinatorFee: bigint
  leaseSeconds: number
  batchMaxShards: number
  batchMaxAgeSeconds: number
  /** Leases that one worker may hold at once, and units that may wait for their commit (R16 from this side). */
  leasesPerWorker: number
  uncommittedUnitsPerWorker: number
  /** Submitted jobs of one account that are not on chain. */
  unpostedJobsPerAccount: number
}

export type Limits = {
  artifactBytes: number
  modelBytes: number
  inputBytes: number
  tasksPerJob: number
  shardSizeMax: number
  /** Requests a minute and address. */
  requestsPerMinute: number
  /** Bytes that an account may have uploaded in a day without a posted job that uses them. */
  looseBytesPerAccount: number
  minFreeDiskBytes: number
}

export type Config = {
  rpcUrl: string
  deployment: Deployment
  dataDir: string
  coordinatorKey: Hex
  /** Signs leases; the account's own key where none is given. */
  sessionKey: Hex
  host: string
  port: number
  databaseUrl?: string | undefined
  redisUrl?: string | undefined
  /** Where artifacts are, and how much of it the data folder holds; without it the folder has them all. */
  bucket?: { url: string; cacheBytes: number } | undefined
  logLevel: string
  operatorToken?: string | undefined
  policy: Policy
  limits: Limits
}

const wei = (fallback: bigint) =>
  z
    .string()
    .regex(/^[0-9]{1,30}$/, "expected an amount in the token's smallest unit")
    .transform((text) => BigInt(text))
    .default(fallback)
const whole = (fallback: number, min = 0, max = Number.MAX_SAFE_INTEGER) =>
  z.coerce.number().int().min(min).max(max).default(fallback)
const key = z.string().regex(/^0x[0-9a-fA-F]{64}$/, "expected 32 bytes as 0x-hex")

const Env = z.object({
  ASSAY_RPC_URL: z.url().optional(),
  ASSAY_DEPLOYMENT: z.string().min(1, "expected the path of a deployment file"),
  ASSAY_DATA_DIR: z.string().min(1, "expected a folder"),
  ASSAY_COORDINATOR_KEY: key.optional(),
  ASSAY_COORDINATOR_KEYSTORE: z.string().optional(),
  ASSAY_COORDINATOR_PASSWORD: z.string().optional(),
  ASSAY_SESSION_KEY: key.optional(),
  ASSAY_HOST: z.string().min(1).default("127.0.0.1"),
  ASSAY_PORT: whole(8080, 0, 65_535),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  ARTIFACTS_URL: z.string().refine(isBucketUrl, "expected s3://BUCKET or s3://BUCKET/PREFIX").optional(),
  ASSAY_ARTIFACT_CACHE_BYTES: whole(16 * 1024 * MIB, 1),
  ASSAY_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  ASSAY_OPERATOR_TOKEN: z
    .string()
    .regex(/^\S{16,}$/, "expected 16 or more characters without a space")
    .optional(),
  ASSAY_MIN_FEE: wei(1n),
  ASSAY_COORDINATOR_FEE: wei(0n),
  ASSAY_LEASE_SECONDS: whole(60, 1),
  ASSAY_BATCH_MAX_SHARDS: whole(64, 1, 64),
  ASSAY_BATCH_MAX_AGE_SECONDS: whole(10, 0),
  ASSAY_LEASES_PER_WORKER: whole(8, 1),
  ASSAY_UNCOMMITTED_UNITS_PER_WORKER: whole(1_000_000, 1),
  ASSAY_UNPOSTED_JOBS_PER_ACCOUNT: whole(16, 1),
  ASSAY_ARTIFACT_BYTES: whole(1024 * MIB, 1),
  ASSAY_MODEL_BYTES: whole(1024 * MIB, 1),
  ASSAY_INPUT_BYTES: whole(256 * MIB, 1),
  ASSAY_TASKS_PER_JOB: whole(262_144, 1),
  ASSAY_REQUESTS_PER_MINUTE: whole(12_000, 1),
  ASSAY_LOOSE_BYTES_PER_ACCOUNT: whole(16 * 1024 * MIB, 1),
  ASSAY_MIN_FREE_DISK_BYTES: whole(256 * MIB),
})

/** Reads the environment once; a value that is missing or wrong ends the start with the variable's name. */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  // An empty variable is how shells and compose files say "not set".
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""))
  const parsed = Env.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`)
    throw refuse("E_CONFIG", `the environment is not right: ${problems.join("; ")}`, { problems })
  }
  const e = parsed.data
  const deployment = readDeployment(e.ASSAY_DEPLOYMENT)
  const { maxLease } = deployment.params
  if (e.ASSAY_LEASE_SECONDS > maxLease) {
    throw refuse("E_CONFIG", `ASSAY_LEASE_SECONDS: ${e.ASSAY_LEASE_SECONDS} s; the contracts allow ${maxLease} s (R14)`)
  }
  const coordinatorKey = readKey(e)
  return Object.freeze({
    rpcUrl: e.ASSAY_RPC_URL ?? deployment.rpcUrl,
    deployment,
    dataDir: e.ASSAY_DATA_DIR,
    coordinatorKey,
    sessionKey: (e.ASSAY_SESSION_KEY ?? coordinatorKey) as Hex,
    host: e.ASSAY_HOST,
    port: e.ASSAY_PORT,
    databaseUrl: e.DATABASE_URL,
    redisUrl: e.REDIS_URL,
    bucket: e.ARTIFACTS_URL ? { url: e.ARTIFACTS_URL, cacheBytes: e.ASSAY_ARTIFACT_CACHE_BYTES } : undefined,
    logLevel: e.ASSAY_LOG_LEVEL,
    operatorToken: e.ASSAY_OPERATOR_TOKEN,
    policy: Object.freeze({
      minFee: e.ASSAY_MIN_FEE,
      coordinatorFee: e.ASSAY_COORDINATOR_FEE,
      leaseSeconds: e.ASSAY_LEASE_SECONDS,
      batchMaxShards: e.ASSAY_BATCH_MAX_SHARDS,
      batchMaxAgeSeconds: e.ASSAY_BATCH_MAX_AGE_SECONDS,
      leasesPerWorker: e.ASSAY_LEASES_PER_WORKER,
      uncommittedUnitsPerWorker: e.ASSAY_UNCOMMITTED_UNITS_PER_WORKER,
      unpostedJobsPerAccount: e.ASSAY_UNPOSTED_JOBS_PER_ACCOUNT,
    }),
    limits: Object.freeze({
      artifactBytes: e.ASSAY_ARTIFACT_BYTES,
      modelBytes: e.ASSAY_MODEL_BYTES,
      inputBytes: e.ASSAY_INPUT_BYTES,
      tasksPerJob: e.ASSAY_TASKS_PER_JOB,
      shardSizeMax: 1024,
      requestsPerMinute: e.ASSAY_REQUESTS_PER_MINUTE,
      looseBytesPerAccount: e.ASSAY_LOOSE_BYTES_PER_ACCOUNT,
      minFreeDiskBytes: e.ASSAY_MIN_FREE_DISK_BYTES,
    }),
  })
}

function readDeployment(path: string): Deployment {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (cause) {
    throw refuse("E_CONFIG", `ASSAY_DEPLOYMENT: ${path} cannot be read; deploy first`, undefined, cause)
  }
  try {
    return DeploymentSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw refuse("E_CONFIG", `ASSAY_DEPLOYMENT: ${path} is no deployment file`, undefined, cause)
  }
}

function readKey(e: z.output<typeof Env>): Hex {
  if (e.ASSAY_COORDINATOR_KEY) return e.ASSAY_COORDINATOR_KEY as Hex
  const path = e.ASSAY_COORDINATOR_KEYSTORE
  if (!path) throw refuse("E_CONFIG", "ASSAY_COORDINATOR_KEY or ASSAY_COORDINATOR_KEYSTORE: one of them must be set")
  try {
    const wallet = Wallet.fromEncryptedJsonSync(readFileSync(path, "utf8"), e.ASSAY_COORDINATOR_PASSWORD ?? "")
    return wallet.privateKey as Hex
  } catch (cause) {
    const message = `ASSAY_COORDINATOR_KEYSTORE: ${path} cannot be opened with ASSAY_COORDINATOR_PASSWORD`
    throw refuse("E_CONFIG", message, undefined, cause)
  }
}
