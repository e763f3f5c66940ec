import type { Hex } from "viem"

/** One shard that waits for a worker. `attempt` makes a requeued shard another entry than the one it replaces. */
export type QueuedShard = { jobId: bigint; shard: number; attempt: number; capability: Hex }

/** A shard that this process holds for the moment; it must say what became of it. */
export type TakenShard = QueuedShard & { readonly handle: unknown }

/**
 * The order in which shards that the database knows as `queued` are handed out, and nothing else: an entry may be
 * stale (whoever takes it asks the database) and the whole queue may be lost (the feeder fills it again).
 */
export type ShardQueue = {
  /** Adds entries; one that is already there is left alone. */
  push(shards: readonly QueuedShard[]): Promise<void>
  /** The next shard of a capability, in the order of pushing, or null. */
  take(capability: Hex): Promise<TakenShard | null>
  /** The shard was leased, or turned out stale: the entry goes. */
  done(taken: TakenShard): Promise<void>
  /** Nobody got it: it may be taken again, after `delayMs` if given. */
  giveBack(taken: TakenShard, delayMs?: number): Promise<void>
  /** How many entries wait (delayed ones too). */
  waiting(capability: Hex): Promise<number>
  close(): Promise<void>
}
