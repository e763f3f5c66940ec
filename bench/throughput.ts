import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createClient } from "#client"
import { fromNestedArrays, writeModel } from "#engine"
import { openKey } from "../scripts/shared/accounts.ts"
import { contextOf } from "../scripts/shared/action.ts"
import { publicClient } from "../scripts/shared/deployment.ts"
import { ensureNative, ensureTokens } from "../scripts/shared/funds.ts"
import { openHome } from "../scripts/shared/home.ts"
import { freePort } from "../scripts/shared/ports.ts"
import { createStack } from "../scripts/shared/stack.ts"
import { waitForSeats } from "../scripts/shared/waitForSeats.ts"
import { redisMissing, startRedis } from "../test/coordinator/support/servers.ts"
import type { Figure } from "./figure.ts"

/**
 * Tiny tasks end to end, from submit to the last receipt stored, through real processes: chain, coordinator, two
 * workers that compute and a third that only stakes. The machine's cores are shared by all of them.
 */
export async function throughput(): Promise<Figure[]> {
  const embedded = await measure("throughput, embedded queue", undefined)
  const missing = redisMissing()
  if (missing) {
    const against = `not measured: ${missing}`
    return [...embedded, { name: "throughput, Redis", value: Number.NaN, unit: "tasks/s", against, ratio: null }]
  }
  const redis = await startRedis()
  try {
    return [...embedded, ...(await measure("throughput, Redis", redis.url))]
  } finally {
    await redis.stop()
  }
}

const TASKS = 16_384
const SHARD_SIZE = 512
const GOAL = 1000

async function measure(name: string, redisUrl: string | undefined): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), "assay-bench-"))
  const home = openHome(dir)
  const stack = createStack({ home, env: { REDIS_URL: redisUrl }, say: () => {} })
  try {
    const { url: rpcUrl } = await stack.startChain(await freePort())
    const deployment = await stack.deploy()
    const { url: coordinatorUrl } = await stack.startCoordinator(await freePort())
    await stack.startWorker({ role: "worker", threads: 1, seats: 2 })
    await stack.startWorker({ role: "worker-2", threads: 1, seats: 2 })
    await stack.startWorker({ role: "worker-3", threads: 1, seats: 2, verifyOnly: true })
    const context = {
      ...contextOf({ home: dir, json: true, rpc: rpcUrl, coordinator: coordinatorUrl }),
      signal: new AbortController().signal,
    }
    const { account } = await openKey(context, "requester")
    const deps = { context, chain: publicClient(rpcUrl), rpcUrl, deployment }
    await ensureNative(deps, account.address)
    const client = await createClient({ rpcUrl, coordinatorUrl, deployment, account })
    await waitForSeats(coordinatorUrl)
    const tasks = Array.from({ length: TASKS }, (_, i) => [
      fromNestedArrays([i, i + 1, i + 2, i + 3], { name: "x", dtype: "float32", dims: [4] }),
    ])

    const start = performance.now()
    const prepared = await client.prepare({ model: addOne(), tasks, shardSize: SHARD_SIZE, auditRate: 100 })
    await ensureTokens(deps, account, prepared.quote.escrow)
    const planned = performance.now()
    const { jobId } = await client.post(prepared)
    const posted = performance.now()
    const done = await new Promise<number>((resolve, reject) => {
      const stop = new AbortController()
      client
        .follow(jobId, {
          pollMs: 50,
          signal: stop.signal,
          onProgress: ({ counts, shards }) => {
            if (counts.queued + counts.leased > 0 || shards === 0) return
            resolve(performance.now())
            stop.abort()
          },
        })
        .catch((error: unknown) => stop.signal.aborted || reject(error))
    })
    const seconds = (from: number, to: number) => (to - from) / 1000
    const rate = (from: number) => TASKS / seconds(from, done)
    const parts = `plan ${seconds(start, planned).toFixed(1)} s, upload, check and post ${seconds(planned, posted).toFixed(1)} s, lease to last receipt ${seconds(posted, done).toFixed(1)} s`
    const goal = redisUrl ? `aim ${GOAL} tasks/s; ` : ""
    return [
      { name, value: rate(start), unit: "tasks/s", against: goal + parts, ratio: redisUrl ? rate(start) / GOAL : null },
      {
        name: `${name}, lease to receipt`,
        value: rate(posted),
        unit: "tasks/s",
        against: "without planning and posting",
        ratio: null,
      },
    ]
  } finally {
    await stack.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

function addOne(): Uint8Array {
  return writeModel({
    name: "add-one",
    inputs: [{ name: "x", dtype: "float32", dims: [4] }],
    outputs: [{ name: "y", dtype: "float32", dims: [4] }],
    initializers: { one: fromNestedArrays([1], { name: "one", dtype: "float32", dims: [1] }) },
    nodes: [{ op: "Add", inputs: ["x", "one"], outputs: ["y"] }],
  })
}
