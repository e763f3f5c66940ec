import { join } from "node:path"
import type { Deployment } from "#protocol"
import { type Child, type ChildEvent, startChild } from "./children.ts"
import { ensureCompiled } from "./compile.ts"
import { deploymentPath, forgetLocal, readDeployment } from "./deployment.ts"
import { CliError } from "./errors.ts"
import type { Home } from "./home.ts"

export type WorkerPlan = {
  /** Names its key and its folder: `worker`, `worker-2`. */
  role: string
  seats?: number
  threads?: number
  verifyOnly?: boolean
  /** A module that computes in the worker's place: how the examples cheat. Local network only. */
  backend?: string
  publicUrl?: string
  /** Where it finds the coordinator, if not at its own address. */
  coordinator?: string
}

export type RunningWorker = WorkerPlan & { account: string; child: Child }

export type StackDeps = {
  home: Home
  host?: string
  /** DATABASE_URL, REDIS_URL and ARTIFACTS_URL for the coordinator, and what else its processes should find. */
  env?: Record<string, string | undefined>
  say: (text: string) => void
  /** Its abort stops everything, and with it whatever waits for one of the processes. */
  signal?: AbortSignal
  onEvent?: (name: string, event: ChildEvent) => void
}

export type Stack = {
  startChain(port: number): Promise<{ url: string; child: Child }>
  deploy(): Promise<Deployment>
  startCoordinator(port: number, env?: Record<string, string>): Promise<{ url: string; account: string; child: Child }>
  startWorker(plan: WorkerPlan): Promise<RunningWorker>
  readonly children: readonly Child[]
  /** Workers first, which give their leases back; the chain last. */
  stop(): Promise<void>
}

/**
 * The local network as processes: chain, contracts, coordinator, workers, each one of our own commands. `up`, `demo`
 * and the end-to-end tests differ in what they start and when; this is what they share.
 */
export function createStack({ home, host = "127.0.0.1", env = {}, say, signal, onEvent }: StackDeps): Stack {
  const children: Child[] = []
  let rpcUrl = ""
  let apiUrl = ""

  const start = (name: string, args: string[], more: Record<string, string> = {}): Child => {
    if (signal?.aborted) throw new CliError("E_INTERRUPTED", "stopped before everything was started")
    const child = startChild({
      name,
      args: [...args, "--home", home.path, "--network", "local", ...(rpcUrl ? ["--rpc", rpcUrl] : [])],
      logPath: join(home.run, "logs", `${name}.log`),
      env: { ...env, ...more },
      onEvent: (event) => onEvent?.(name, event),
    })
    children.push(child)
    return child
  }
  const text = (event: ChildEvent, field: string): string => {
    const value = event[field]
    if (typeof value === "string") return value
    throw new CliError("E_INTERNAL", `a process said ready without '${field}'`)
  }

  async function stop(): Promise<void> {
    const isLast = (child: Child) => child.name === "chain"
    const isCoordinator = (child: Child) => child.name === "coordinator"
    const workers = children.filter((child) => !isLast(child) && !isCoordinator(child))
    for (const group of [workers, children.filter(isCoordinator), children.filter(isLast)]) {
      await Promise.all(group.map((child) => child.stop()))
    }
  }
  signal?.addEventListener("abort", () => void stop(), { once: true })

  return {
    children,
    async startChain(port) {
      if (forgetLocal({ home, network: "local" }).length > 0) {
        say("the local chain of last time is gone, and what was kept of it with it: starting afresh")
      }
      const child = start("chain", ["chain", "--port", String(port), "--host", host])
      rpcUrl = local(text(await child.ready, "url"))
      return { url: rpcUrl, child }
    },
    async deploy() {
      await ensureCompiled(say)
      const child = start("deploy", ["deploy"])
      const code = await child.exited
      const deployment = readDeployment(deploymentPath({ home, network: "local" }))
      if (code !== 0 || !deployment) {
        await child.ready
        throw new CliError("E_DEPLOY", "the contracts could not be deployed")
      }
      return deployment
    },
    async startCoordinator(port, more) {
      const child = start("coordinator", ["coordinator", "--port", String(port), "--host", host], more)
      const event = await child.ready
      apiUrl = local(text(event, "url"))
      return { url: apiUrl, account: text(event, "account"), child }
    },
    async startWorker(plan) {
      const { role, seats, threads, verifyOnly, backend, publicUrl, coordinator = apiUrl } = plan
      const child = start(role, [
        "worker",
        "--coordinator",
        coordinator,
        "--role",
        role,
        ...(seats === undefined ? [] : ["--seats", String(seats)]),
        ...(threads === undefined ? [] : ["--threads", String(threads)]),
        ...(verifyOnly ? ["--verify-only"] : []),
        ...(backend === undefined ? [] : ["--backend", backend]),
        ...(publicUrl === undefined ? [] : ["--public-url", publicUrl]),
      ])
      return { ...plan, account: text(await child.ready, "account"), child }
    },
    stop,
  }
}

/** What listens everywhere is reached here by this machine's own address. */
function local(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//127.0.0.1:")
}
