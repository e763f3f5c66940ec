import { randomUUID } from "node:crypto"
import { type BackendFactory, type IQueueBackend, type Job, type Queue, type Worker, withBackend } from "bullmq"
import type { Hex } from "viem"
import type { ShardQueue, TakenShard } from "./shardQueue.ts"

export type QueueSettings = {
  /** How long a taken shard may stay undecided before another process may take it: a lease is written in milliseconds. */
  lockMs?: number
  /** How often undecided shards of crashed processes are looked for. */
  recoverMs?: number
  /** Key prefix (Redis): tests keep apart by it. */
  prefix?: string
  onError: (error: Error) => void
  /** A BullMQ queue was opened: the operator's dashboard shows it. */
  onQueue?: (queue: Queue) => void
}

export type BullShardQueueDeps<B extends IQueueBackend, C> = QueueSettings & {
  factory: BackendFactory<B, C>
  connection: C
}

type Entry = { jobId: string; shard: number; attempt: number }
type Line = { queue: Queue<Entry>; taker: Worker<Entry> }
type Handle = { job: Job<Entry>; token: string }

/** A shard queue on BullMQ, whatever keeps it: one BullMQ queue a capability, since a worker takes from one only. */
export function createBullShardQueue<B extends IQueueBackend, C>(deps: BullShardQueueDeps<B, C>): ShardQueue {
  const { Queue, Worker } = withBackend(deps.factory)
  const { connection, onError, onQueue, lockMs = 30_000, recoverMs = 10_000, prefix } = deps
  const lines = new Map<Hex, Promise<Line>>()

  async function open(capability: Hex): Promise<Line> {
    const name = `shards-${capability}`
    const shared = { connection, ...(prefix ? { prefix } : {}) }
    const queue = new Queue<Entry>(name, {
      ...shared,
      // A failed or finished entry that stayed would make BullMQ ignore the same entry pushed again.
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    }) as unknown as Queue<Entry>
    // Without a processor it takes nothing by itself: shards are taken when a worker asks.
    const taker = new Worker<Entry>(name, null, {
      ...shared,
      autorun: false,
      lockDuration: lockMs,
      stalledInterval: recoverMs,
      maxStalledCount: 1_000_000,
    }) as unknown as Worker<Entry>
    queue.on("error", onError)
    taker.on("error", onError)
    await Promise.all([queue.waitUntilReady(), taker.waitUntilReady()])
    await taker.startStalledCheckTimer()
    onQueue?.(queue)
    return { queue, taker }
  }

  function line(capability: Hex): Promise<Line> {
    let found = lines.get(capability)
    if (!found) {
      found = open(capability)
      lines.set(capability, found)
      // A line that could not be opened is tried again by the next call.
      found.catch(() => lines.delete(capability))
    }
    return found
  }

  return {
    async push(shards) {
      for (const [capability, group] of Map.groupBy(shards, (shard) => shard.capability)) {
        const { queue } = await line(capability)
        await queue.addBulk(
          group.map(({ jobId, shard, attempt }) => ({
            name: "shard",
            data: { jobId: jobId.toString(), shard, attempt },
            opts: { jobId: `${jobId}-${shard}-${attempt}` },
          })),
        )
      }
    },

    async take(capability) {
      const { taker } = await line(capability)
      const token = randomUUID()
      const job = await taker.getNextJob(token, { block: false })
      if (!job) return null
      const { jobId, shard, attempt } = job.data
      return { jobId: BigInt(jobId), shard, attempt, capability, handle: { job, token } satisfies Handle }
    },

    async done(taken: TakenShard) {
      const { job, token } = taken.handle as Handle
      await unlessLost(job.moveToCompleted(null as never, token, false))
    },

    async giveBack(taken: TakenShard, delayMs = 0) {
      const { job, token } = taken.handle as Handle
      await unlessLost(delayMs > 0 ? job.moveToDelayed(Date.now() + delayMs, token) : job.moveToWait(token))
    },

    async waiting(capability) {
      const { queue } = await line(capability)
      const counts = await queue.getJobCounts("wait", "delayed", "prioritized", "active")
      return Object.values(counts).reduce((sum, n) => sum + n, 0)
    },

    async close() {
      const opened = await Promise.allSettled(lines.values())
      lines.clear()
      for (const result of opened) {
        if (result.status === "rejected") continue
        await result.value.taker.close(true)
        await result.value.queue.close()
      }
    },
  }
}

/** An entry whose lock ran out belongs to somebody else by now; the database decides who has the shard. */
async function unlessLost(moved: Promise<unknown>): Promise<void> {
  try {
    await moved
  } catch (error) {
    if (!/Missing lock|Missing key|lock mismatch|not in the active state/i.test(String(error))) throw error
  }
}
