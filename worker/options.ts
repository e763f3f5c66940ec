import { availableParallelism } from "node:os"
import { isAbsolute, resolve } from "node:path"
import { type Hex, isHex, type LocalAccount, parseEther } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { z } from "zod"
import { type Deployment, DeploymentSchema, MEMORY_TIERS, type MemoryTier, UrlSchema } from "#protocol"
import { workerError } from "./errors.ts"
import { DEFAULT_LIMITS } from "./leases/limits.ts"

const Key = z.custom<Hex | LocalAccount>(
  (value) =>
    (isHex(value) && value.length === 66) || typeof (value as LocalAccount | null)?.signTransaction === "function",
  "expected a private key of 32 bytes as 0x-hex, or a local account",
)
const Amount = z.bigint().min(0n)

const OptionsSchema = z.object({
  /** Defaults to the deployment's. */
  rpcUrl: z.url().optional(),
  coordinatorUrl: UrlSchema,
  deployment: z.custom<Deployment>(
    (value) => z.safeEncode(DeploymentSchema, value as Deployment).success,
    "expected a deployment as DeploymentSchema reads it",
  ),
  /** Owns seats, collateral and pay; sends the transactions. */
  accountKey: Key,
  /** Signs leases' receipts, verdicts and requests; registered on chain at the first start (R8). */
  sessionKey: Key,
  /** State goes to `networks/<deployment>/worker-<account>` under it. */
  home: z.string().min(1),
  /** Tasks that run side by side, a process each. */
  threads: z
    .int()
    .min(1)
    .max(256)
    .default(() => Math.max(1, Math.min(8, availableParallelism() - 1))),
  memoryGiB: z
    .custom<MemoryTier>((value) => MEMORY_TIERS.includes(value as MemoryTier), "expected 2, 8, 32 or 128")
    .default(2),
  verifyOnly: z.boolean().default(false),
  /** Where drawn verifiers reach this worker if it has to commit for itself (R18). */
  publicUrl: UrlSchema.optional(),
  /** What the server behind `publicUrl` binds to, where that differs from the URL's own host and port. */
  listen: z.object({ host: z.string(), port: z.int().min(0).max(65_535) }).optional(),
  /** Takes what is owed as soon as it is this much. */
  withdrawAt: Amount.optional(),
  device: z.string().max(64).default("cpu"),
  /** A module that exports `createBackend({ runner })`: local network only. */
  backend: z.string().optional(),
  seats: z.int().min(1).max(1000).default(1),
  /** What the coordinator may lock of this worker's (R13). */
  collateral: Amount.default(parseEther("1000")),
  cacheBytes: z
    .number()
    .min(1)
    .default(10 * 1024 ** 3),
  limits: z
    .object({ uncommittedShards: z.int().min(1), unfinalizedShards: z.int().min(1) })
    .default({ ...DEFAULT_LIMITS }),
  /** Seconds after a lease's end before its receipt is committed without the coordinator; half a claim period. */
  selfCommitMargin: z.int().min(0).optional(),
  /** How long a stopping worker goes on with the shard it computes. */
  graceMs: z.int().min(0).default(15_000),
})

export type WorkerOptions = z.input<typeof OptionsSchema>
export type WorkerConfig = Omit<z.output<typeof OptionsSchema>, "accountKey" | "sessionKey" | "rpcUrl"> & {
  readonly rpcUrl: string
  readonly account: LocalAccount
  readonly session: LocalAccount
}

export function parseOptions(options: WorkerOptions): WorkerConfig {
  const parsed = OptionsSchema.safeParse(options)
  if (!parsed.success) {
    throw workerError("E_OPTIONS", `the worker's options are wrong: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    })
  }
  const { accountKey, sessionKey, rpcUrl, backend, ...rest } = parsed.data
  if (backend && rest.deployment.chainId !== 31_337) {
    throw workerError("E_OPTIONS", "a backend of one's own is for experiments on the local network", {
      remedy: "leave --backend out",
    })
  }
  return Object.freeze({
    ...rest,
    backend: backend && !isAbsolute(backend) ? resolve(backend) : backend,
    rpcUrl: rpcUrl ?? rest.deployment.rpcUrl,
    account: accountOf(accountKey),
    session: accountOf(sessionKey),
  })
}

function accountOf(key: Hex | LocalAccount): LocalAccount {
  return typeof key === "string" ? privateKeyToAccount(key) : key
}
