import { spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Command } from "commander"
import { formatCount } from "#protocol"
import { action, type Context } from "./shared/action.ts"
import { NODE_FLAGS } from "./shared/children.ts"
import { CliError, usageError } from "./shared/errors.ts"
import { isAlive } from "./shared/lockFile.ts"
import { parseCount } from "./shared/parse.ts"
import { demandFree, parsePort } from "./shared/ports.ts"
import { type RunState, readRunState, removeRunState, writeRunState } from "./shared/runState.ts"
import { aborted } from "./shared/signals.ts"
import { createStack, type RunningWorker, type Stack, type WorkerPlan } from "./shared/stack.ts"
import { ROOT } from "./shared/version.ts"
import { waitForSeats } from "./shared/waitForSeats.ts"
import { watch } from "./shared/watch.ts"

type Options = { workers: number; port: number; rpcPort: number; host: string; detach?: boolean }

/** With fewer accounts the draw has nobody to draw: chain 31337 wants four seats of three owners, executor left out. */
const ACCOUNTS_NEEDED = 4
const DETACH_WAIT_MS = 300_000

export function configure(command: Command): void {
  command
    .description(
      "Run a local chain, the contracts, a coordinator and workers, and keep them running until Ctrl-C, or `assay down` with --detach.",
    )
    .option("--workers <n>", "workers to run", parseCount, 1)
    .option("--port <n>", "port of the coordinator's API", parsePort, 8787)
    .option("--rpc-port <n>", "port of the chain's RPC", parsePort, 8545)
    .option("--host <address>", "address to listen on; 0.0.0.0 lets other machines join", "127.0.0.1")
    .option("--detach", "return once everything is ready")
    .action(
      action<Options>(async (context, options) => {
        if (context.network !== "local") {
          throw usageError(
            "E_NETWORK_UNKNOWN",
            `\`up\` runs the local network, not '${context.network}': for others run \`assay deploy\`, \`assay coordinator\` and \`assay worker\``,
          )
        }
        await refuseIfUp(context)
        await demandFree(options.rpcPort, "--rpc-port", options.host)
        await demandFree(options.port, "--port", options.host)
        await (options.detach ? detach(context, options) : run(context, options))
      }),
    )
}

async function refuseIfUp({ home }: Context): Promise<void> {
  const running = readRunState(home.path)
  if (running) {
    throw new CliError(
      "E_ALREADY_UP",
      `${running.url} is up already, as process ${running.pid}: \`assay down\` stops it, or use another --home`,
    )
  }
}

async function run(context: Context, options: Options): Promise<void> {
  const { home, out, signal } = context
  const { port, rpcPort, host } = options
  const stack = createStack({ home, host, say: out.say, signal })
  try {
    out.say("starting a local chain")
    const chain = await stack.startChain(rpcPort)
    out.say("deploying the contracts")
    const deployment = await stack.deploy()
    out.say("starting the coordinator")
    const coordinator = await stack.startCoordinator(port)
    const plans = planWorkers(options.workers)
    const added = plans.filter((plan) => plan.verifyOnly).length
    if (added > 0)
      out.say(`adding ${added} verify-only workers: an audit needs ${ACCOUNTS_NEEDED} accounts to draw from`)
    const workers = await startWorkers(stack, plans)
    await waitForSeats(coordinator.url)
    const state: RunState = {
      pid: process.pid,
      url: coordinator.url,
      rpc: chain.url,
      chainId: deployment.chainId,
      contracts: deployment.contracts,
      coordinator: coordinator.account,
      workers: workers.map(({ role, account, child, verifyOnly = false }) => ({
        role,
        account,
        pid: child.pid,
        verifyOnly,
      })),
      startedAt: new Date().toISOString(),
    }
    writeRunState(home.path, state)
    tell(context, state, host)
    await Promise.race([aborted(signal), watch({ stack, workers, out, signal })])
    out.say("stopping")
  } finally {
    await stack.stop()
    removeRunState(home.path)
  }
  out.say("everything is stopped; the local chain is forgotten")
}

function planWorkers(workers: number): WorkerPlan[] {
  const count = Math.max(workers, ACCOUNTS_NEEDED)
  return Array.from({ length: count }, (_, i) => ({
    role: i === 0 ? "worker" : `worker-${i + 1}`,
    threads: 1,
    ...(i < workers ? {} : { verifyOnly: true }),
  }))
}

/** One after the other: a start loads onnxruntime, and side by side on two cores they would all be late. */
async function startWorkers(stack: Stack, plans: WorkerPlan[]): Promise<RunningWorker[]> {
  const workers: RunningWorker[] = []
  for (const plan of plans) workers.push(await stack.startWorker(plan))
  return workers
}

function tell({ out }: Context, state: RunState, host: string): void {
  const { startedAt: _, ...shown } = state
  out.result(shown, () => `ready ${state.url}`)
  if (out.json) return
  out.say(`chain ${state.rpc}, ${formatCount(state.workers.length, "worker")}; Ctrl-C stops it all`)
  if (host === "127.0.0.1") return
  const address = outsideAddress() ?? host
  const at = (url: string) => `http://${address}:${new URL(url).port}`
  out.say(`join from another machine: ./assay worker --coordinator ${at(state.url)} --rpc ${at(state.rpc)}`)
}

function outsideAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flat()
    .find((each) => each && each.family === "IPv4" && !each.internal)?.address
}

/** The same command again, without --detach, in a process that outlives us. */
async function detach({ home, out, signal }: Context, options: Options): Promise<void> {
  const logPath = join(home.run, "up.log")
  mkdirSync(home.run, { recursive: true })
  const log = openSync(logPath, "w")
  const { workers, port, rpcPort, host } = options
  const args = [
    "up",
    "--workers",
    workers,
    "--port",
    port,
    "--rpc-port",
    rpcPort,
    "--host",
    host,
    "--home",
    home.path,
    "--network",
    "local",
  ]
  const child = spawn(process.execPath, [...NODE_FLAGS, join(ROOT, "scripts", "main.ts"), ...args.map(String)], {
    detached: true,
    stdio: ["ignore", log, log],
  })
  closeSync(log)
  child.unref()
  const pid = child.pid ?? 0
  out.say(`starting in the background (process ${pid}, log ${logPath})`)
  const deadline = Date.now() + DETACH_WAIT_MS
  for (;;) {
    const state = readRunState(home.path)
    if (state?.pid === pid) {
      const { startedAt: _, ...shown } = state
      out.result(shown, () => `ready ${state.url}`)
      return
    }
    if (!isAlive(pid) || child.exitCode !== null) throw new CliError("E_UP_FAILED", lastError(logPath))
    if (signal.aborted || Date.now() > deadline) {
      process.kill(pid, "SIGTERM")
      throw new CliError(
        "E_UP_TIMEOUT",
        `not ready after ${DETACH_WAIT_MS / 1000} s, so it was stopped: see ${logPath}`,
      )
    }
    await sleep(200)
  }
}

function lastError(logPath: string): string {
  const lines = readFileSync(logPath, "utf8").trim().split("\n")
  return lines.findLast((line) => line.startsWith("error ")) ?? `it ended before it was ready: see ${logPath}`
}
