import { join } from "node:path"
import type { Command } from "commander"
import { openKey } from "./shared/accounts.ts"
import { action, type Context } from "./shared/action.ts"
import { networkDir, openDeployment, writeDeployment } from "./shared/deployment.ts"
import { ensureNative } from "./shared/funds.ts"
import { demandFree, parsePort } from "./shared/ports.ts"

/** A hundredth of a token a unit: what people can read. The environment names another. */
const MIN_FEE = 10n ** 16n

type Options = { port: number; host: string; logLevel: string }

export function configure(command: Command): void {
  command
    .description(
      "Run a coordinator. DATABASE_URL, REDIS_URL and ARTIFACTS_URL name an outside Postgres, Redis and S3 bucket; without them all are embedded.",
    )
    .option("--port <n>", "port of the API, 0 for any free one", parsePort, 8787)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--log-level <level>", "trace, debug, info, warn or error", "info")
    .action(action<Options>(run))
}

async function run(context: Context, { port, host, logLevel }: Options): Promise<void> {
  await demandFree(port, "--port", host)
  const { deployment, chain, rpcUrl } = await openDeployment(context)
  const { key, account } = await openKey(context, "coordinator")
  await ensureNative({ context, chain, rpcUrl, deployment }, account.address)
  const { parseConfig, startCoordinator } = await import("#coordinator")
  const config = parseConfig({
    ASSAY_MIN_FEE: MIN_FEE.toString(),
    ...process.env,
    ASSAY_RPC_URL: rpcUrl,
    ASSAY_DEPLOYMENT: writeDeployment(context, deployment),
    ASSAY_DATA_DIR: join(networkDir(context, deployment), "coordinator"),
    ASSAY_COORDINATOR_KEY: key,
    ASSAY_HOST: host,
    ASSAY_PORT: String(port),
    ASSAY_LOG_LEVEL: logLevel,
  })
  const coordinator = await startCoordinator(config, { signal: context.signal })
  context.out.event(
    { event: "ready", url: coordinator.url, account: account.address, pid: process.pid },
    () => `ready ${coordinator.url}`,
  )
  await new Promise<void>((resolve) => context.signal.addEventListener("abort", () => resolve(), { once: true }))
  await coordinator.close()
  context.out.event({ event: "stopped" }, () => "stopped; workers can commit their own work while no coordinator runs")
}
