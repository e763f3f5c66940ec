import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { LocalAccount } from "viem"
import { type Client, createClient, eventsNamed, readConservation, readHistory } from "#client"
import type { Deployment } from "#protocol"
import { type GlyphInput, makeGlyphInputs, readGlyphModel } from "../../../examples/glyphs/index.ts"
import { openKey } from "../../../scripts/shared/accounts.ts"
import { type Context, contextOf } from "../../../scripts/shared/action.ts"
import type { ChildEvent } from "../../../scripts/shared/children.ts"
import { publicClient } from "../../../scripts/shared/deployment.ts"
import { ensureNative, ensureTokens } from "../../../scripts/shared/funds.ts"
import { openHome } from "../../../scripts/shared/home.ts"
import { freePort } from "../../../scripts/shared/ports.ts"
import { createStack, type RunningWorker, type Stack, type WorkerPlan } from "../../../scripts/shared/stack.ts"
import { waitForSeats } from "../../../scripts/shared/waitForSeats.ts"

export const ROOT = join(import.meta.dirname, "..", "..", "..")
export const SHARD_SIZE = 4

/** A whole local network of processes: chain, contracts, coordinator, and honest workers who stand ready. */
export type Stage = {
  readonly stack: Stack
  readonly client: Client
  readonly deployment: Deployment
  readonly account: LocalAccount
  readonly context: Context
  readonly honest: RunningWorker[]
  readonly coordinatorPort: number
  /** What workers said, by role, in order. */
  readonly events: Map<string, ChildEvent[]>
  post(params: { tasks: number; seed: number; auditRate: number }): Promise<PostedJob>
  /** Tokens for what the client posts by itself. */
  fund(amount: bigint): Promise<void>
  startWorker(plan: WorkerPlan): Promise<RunningWorker>
  startCoordinator(env?: Record<string, string>): Promise<void>
  /** Waits for something that processes do in their own time. */
  until(what: string, done: () => boolean | Promise<boolean>, ms?: number): Promise<void>
  conserved(): Promise<boolean>
  close(): Promise<void>
}

export type PostedJob = { jobId: bigint; escrow: bigint; inputs: GlyphInput[] }

export type OpenStageParams = { env?: Record<string, string | undefined>; honest: number; seats: number }

const HONEST_PATIENCE_MS = 120_000
const POLL_MS = 200

export async function openStage({ env = {}, honest, seats }: OpenStageParams): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "assay-e2e-"))
  const home = openHome(folder)
  const events = new Map<string, ChildEvent[]>()
  const onEvent = (name: string, event: ChildEvent) => void events.set(name, [...(events.get(name) ?? []), event])
  const said: string[] = []
  // Short leases and young batches: what is waited for here is the protocol's own clocks, not the service's patience.
  const shared = { ASSAY_LEASE_SECONDS: "10", ASSAY_BATCH_MAX_AGE_SECONDS: "2", ...env }
  const stack = createStack({ home, env: shared, say: (text) => void said.push(text), onEvent })
  try {
    const { url: rpcUrl } = await stack.startChain(await freePort())
    const deployment = await stack.deploy()
    const coordinatorPort = await freePort()
    const coordinator = await stack.startCoordinator(coordinatorPort)
    const workers: RunningWorker[] = []
    for (let i = 1; i <= honest; i++) {
      const publicUrl = `http://127.0.0.1:${await freePort()}`
      workers.push(await stack.startWorker({ role: `honest-${i}`, threads: 1, seats, publicUrl }))
    }
    await waitForSeats(coordinator.url)
    const context = contextOf({ home: folder, json: true, rpc: rpcUrl, coordinator: coordinator.url })
    const { account } = await openKey(context, "requester")
    const chain = publicClient(rpcUrl)
    const fundDeps = { context, chain, rpcUrl, deployment }
    await ensureNative(fundDeps, account.address)
    const client = await createClient({ rpcUrl, coordinatorUrl: coordinator.url, deployment, account })
    const { bytes: model } = await readGlyphModel()

    const fund = async (amount: bigint) => {
      await ensureTokens(fundDeps, account, amount)
    }

    return {
      stack,
      client,
      deployment,
      account,
      context,
      honest: workers,
      coordinatorPort,
      events,
      async post({ tasks, seed, auditRate }) {
        const inputs = makeGlyphInputs({ seed, count: tasks })
        const request = {
          model,
          tasks: inputs.map(({ tensor }) => [tensor]),
          shardSize: SHARD_SIZE,
          auditRate,
          fee: 10n ** 16n,
        }
        const { plan } = await client.prepare(request)
        // On a slow machine a cheat takes most shards before it is stopped, and each is audited twice.
        const prepared = await client.prepare({ ...request, auditBudget: 2n * plan.terms.auditBudget })
        await fund(prepared.quote.escrow)
        const { jobId, escrow } = await client.post(prepared)
        return { jobId, escrow, inputs }
      },
      fund,
      startWorker: (plan) => stack.startWorker(plan),
      async startCoordinator(more = {}) {
        await stack.startCoordinator(coordinatorPort, more)
      },
      async until(what, done, ms = HONEST_PATIENCE_MS) {
        const deadline = Date.now() + ms
        while (!(await done())) {
          if (Date.now() > deadline) throw new Error(`waited ${ms / 1000} s for: ${what}\n${await logs(folder)}`)
          await new Promise((resolve) => setTimeout(resolve, POLL_MS))
        }
      },
      async conserved() {
        return (await readConservation(chain, deployment, await readHistory(chain, deployment))).conserved
      },
      async close() {
        await stack.stop()
        await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await stack.stop()
    throw new Error(`the stage did not come up\n${await logs(folder)}`, { cause: error })
  }
}

/** The last lines of every process: what one wants to read when a test of processes fails. */
async function logs(folder: string): Promise<string> {
  const dir = join(folder, "run", "logs")
  const files = await readdir(dir).catch(() => [])
  const parts = await Promise.all(
    files.map(async (file) => {
      const lines = (await readFile(join(dir, file), "utf8")).trim().split("\n").slice(-12)
      return lines.join("") === "" ? "" : `--- ${file}\n${lines.map((line) => line.slice(0, 300)).join("\n")}`
    }),
  )
  return parts.filter(Boolean).join("\n")
}

/** Who was paid for work of a job, and how much, by the chain. */
export async function paidFor(stage: Stage, jobId: bigint): Promise<Map<string, bigint>> {
  const paid = new Map<string, bigint>()
  for (const { account, entries } of await stage.client.payouts()) {
    const work = entries.filter((entry) => entry.jobId === jobId && entry.kind === "work")
    const sum = work.reduce((total, { amount }) => total + amount, 0n)
    if (sum > 0n) paid.set(account.toLowerCase(), sum)
  }
  return paid
}

export async function slashedOf(stage: Stage, account: string): Promise<bigint> {
  const payouts = await stage.client.payouts(account as `0x${string}`)
  return payouts.reduce((sum, { slashed }) => sum + slashed, 0n)
}

export async function isFinal(stage: Stage, jobId: bigint): Promise<boolean> {
  const { events } = await readHistory(stage.client.chain, stage.deployment)
  return eventsNamed({ events, head: 0n }, "JobRefunded").some(({ args }) => args.jobId === jobId)
}
