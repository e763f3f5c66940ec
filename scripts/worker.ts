import { existsSync } from "node:fs"
import { resolve } from "node:path"
import type { Command } from "commander"
import type { MemoryTier } from "#protocol"

import { isLocal, openKey } from "./shared/accounts.ts"
import { action, type Context } from "./shared/action.ts"
import { openDeployment } from "./shared/deployment.ts"
import { usageError } from "./shared/errors.ts"
import { ensureNative } from "./shared/funds.ts"
import { parseCount, parseGiB, parseTokens } from "./shared/parse.ts"
import { openSessionKey } from "./shared/sessionKeys.ts"
import { createWorkerView } from "./shared/workerView.ts"

type Options = {
  role: string
  threads?: number
  memory: MemoryTier
  seats?: number
  verifyOnly?: boolean
  publicUrl?: string
  withdrawAt?: bigint
  device: string
  backend?: string
}

export function configure(command: Command): void {
  command
    .description(
      "Stake if needed, pass the self-test, lease, compute and earn. SIGUSR1 pauses, SIGUSR2 resumes; Ctrl-C finishes or returns the lease and stops.",
    )
    .option("--role <name>", "which key to work with; a machine may run several workers", "worker")
    .option("--threads <n>", "processor threads for the models", parseCount)
    .option("--memory <GiB>", "memory that a model may use: 2, 8, 32 or 128", parseGiB, 2)
    .option("--seats <n>", "seats to stake for; more seats are drawn for more audits", parseCount)
    .option("--verify-only", "audit the work of others and lease none")
    .option("--public-url <url>", "where verifiers reach this machine if it must commit its own work")
    .option("--withdraw-at <amount>", "withdraw whenever this many tokens are owed", parseTokens)
    .option("--device <name>", "auto, cpu, cuda, webgpu, coreml or dml", "auto")
    .option("--backend <file>", "compute with this module instead (local network only: how the examples cheat)")
    .action(action<Options>(run))
}

async function run(context: Context, options: Options): Promise<void> {
  const { backend, role, threads, seats, verifyOnly = false, publicUrl, withdrawAt, device } = options
  if (backend !== undefined && !isLocal(context)) {
    throw usageError(
      "E_BACKEND_LOCAL",
      "--backend is for the local network: elsewhere it would cost you your collateral",
    )
  }
  if (backend !== undefined && !existsSync(backend)) throw usageError("E_FILE_MISSING", `there is no file ${backend}`)
  const { deployment, chain, rpcUrl } = await openDeployment(context)
  const owner = await openKey(context, role)
  await ensureNative({ context, chain, rpcUrl, deployment }, owner.account.address)
  const { startWorker } = await import("#worker")
  const view = createWorkerView(context.out, { account: owner.account.address, role })
  const worker = startWorker(
    {
      rpcUrl,
      coordinatorUrl: context.coordinatorUrl,
      deployment,
      accountKey: owner.key,
      sessionKey: await openSessionKey(context, role),
      home: context.home.path,
      memoryGiB: options.memory,
      verifyOnly,
      device,
      ...(threads === undefined ? {} : { threads }),
      ...(seats === undefined ? {} : { seats }),
      ...(publicUrl === undefined ? {} : { publicUrl }),
      ...(withdrawAt === undefined ? {} : { withdrawAt }),
      ...(backend === undefined ? {} : { backend: resolve(backend) }),
    },
    { signal: context.signal, onEvent: view.show },
  )
  process.on("SIGUSR1", () => worker.pause())
  process.on("SIGUSR2", () => worker.resume())
  try {
    await worker.done
  } finally {
    view.stop()
  }
}
