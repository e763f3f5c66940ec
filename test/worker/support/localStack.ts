import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { pino } from "pino"
import { type Hex, parseEther } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { z } from "zod"
import { type Client, createClient } from "#client"
import { parseConfig, startCoordinator } from "#coordinator"
import { type Deployment, DeploymentSchema, type WorkerEvent } from "#protocol"
import { startWorker, type WorkerHandle, type WorkerOptions } from "#worker"
import { deployAssay } from "../../../ignition/deploy.ts"
import { ensureCompiled } from "../../../scripts/shared/compile.ts"
import { serveChain } from "../../../scripts/shared/localChain.ts"
import { openChain } from "../../../worker/chain/chain.ts"
import { createSender } from "../../../worker/chain/sender.ts"
import { createEvents } from "../../../worker/events.ts"
import { ensureNative, ensureTokens } from "../../../worker/join/funds.ts"

export type TestWorker = {
  handle: WorkerHandle
  events: WorkerEvent[]
  address: Hex
  home: string
  options: WorkerOptions
}
export type LocalStack = {
  deployment: Deployment
  client: Client
  /** Somebody who has tokens and coin, and nothing to do with the client's jobs. */
  stranger(): Promise<{ client: Client; address: Hex }>
  startWorker(change?: Partial<WorkerOptions>): TestWorker
  /** Until a job can be posted: seats for an audit, and the coordinator's standing bond. */
  ready(): Promise<void>
  stopCoordinator(): Promise<void>
  /** Takes the coordinator's native coin: it goes on leasing and storing, and can commit nothing. */
  silenceCoordinator(): Promise<void>
  until(what: string, condition: () => boolean | Promise<boolean>, seconds?: number): Promise<void>
}

/** A chain with the contracts, a coordinator and a requester, all real, in this process; workers as they are asked for. */
export async function startLocalStack(t: TestContext, env: Record<string, string> = {}): Promise<LocalStack> {
  const folder = await mkdtemp(join(tmpdir(), "assay-stack-"))
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  t.after(async () => {
    for (const close of closers.toReversed()) await close()
  })
  await ensureCompiled(() => {})
  const chain = await serveChain({ host: "127.0.0.1", port: await freePort() })
  closers.push(() => chain.close())
  const deployment = await deployAssay({ network: "local", rpcUrl: chain.url })
  const deploymentPath = join(folder, "deployment.json")
  await writeFile(deploymentPath, JSON.stringify(z.encode(DeploymentSchema, deployment)))
  const port = await freePort()
  const coordinatorKey = generatePrivateKey()
  await fund(deployment, coordinatorKey)
  const config = parseConfig({
    ASSAY_DEPLOYMENT: deploymentPath,
    ASSAY_DATA_DIR: join(folder, "coordinator"),
    ASSAY_COORDINATOR_KEY: coordinatorKey,
    ASSAY_PORT: String(port),
    ASSAY_BATCH_MAX_AGE_SECONDS: "2",
    ...env,
  })
  const log = pino({ level: process.env.TEST_LOG ?? "silent" }, pino.destination(2))
  const coordinator = await startCoordinator(config, { log })
  let running = true
  const stopCoordinator = async () => {
    if (running) await coordinator.close()
    running = false
  }
  closers.push(stopCoordinator)
  const clientOf = async () => {
    const key = generatePrivateKey()
    await fund(deployment, key, parseEther("50000"))
    const account = privateKeyToAccount(key)
    const { url: coordinatorUrl } = coordinator
    return {
      address: account.address,
      client: await createClient({ rpcUrl: chain.url, coordinatorUrl, deployment, account }),
    }
  }
  const { client } = await clientOf()
  async function until(what: string, condition: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
    const deadline = Date.now() + seconds * 1000
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return {
    deployment,
    client,
    until,
    async ready() {
      const { registry } = openChain({ rpcUrl: chain.url, deployment })
      await until("the coordinator has its standing bond", async () => {
        const [standing] = await registry.read.standingOf([coordinator.account])
        return standing > 0n
      })
      await until("the coordinator knows the seats", async () => {
        const { capabilities } = await client.info()
        return capabilities.some(({ seats, owners }) => seats >= 4 && owners >= 3)
      })
    },
    stopCoordinator,
    stranger: clientOf,
    async silenceCoordinator() {
      const params = [coordinator.account, "0x0"]
      await openChain({ rpcUrl: chain.url, deployment }).client.request({
        method: "hardhat_setBalance",
        params,
      } as never)
    },
    startWorker(change = {}) {
      const accountKey = generatePrivateKey()
      const events: WorkerEvent[] = []
      const options: WorkerOptions = {
        coordinatorUrl: coordinator.url,
        deployment,
        accountKey,
        sessionKey: generatePrivateKey(),
        home: join(folder, "workers"),
        threads: 1,
        graceMs: 2000,
        ...change,
      }
      const handle = startWorker(options, {
        onEvent: (event) => {
          events.push(event)
          if (process.env.TEST_EVENTS)
            console.error(
              accountKey.slice(2, 6),
              JSON.stringify(event, (_, v) => (typeof v === "bigint" ? String(v) : v)),
            )
        },
      })
      closers.push(() => handle.stop().catch(() => undefined))
      return { handle, events, address: privateKeyToAccount(accountKey).address, home: options.home, options }
    },
  }
}

async function fund(deployment: Deployment, key: Hex, tokens = 0n): Promise<void> {
  const chain = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const sender = createSender(chain, privateKeyToAccount(key))
  const events = createEvents(() => {})
  const { signal } = new AbortController()
  await ensureNative({ chain, sender, events }, signal)
  if (tokens > 0n) await ensureTokens({ chain, sender, events }, { needed: tokens, signal })
}

export async function freePort(): Promise<number> {
  for (let port = 43_000 + Math.floor(Math.random() * 900); ; port++) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once("error", () => resolve(false))
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}
