import { createPostgresBackend, createRedisBackend, runMigrations } from "bullmq"
import { Redis } from "ioredis"
import type { Database } from "../store/database.ts"
import { createBullShardQueue, type QueueSettings } from "./bullShardQueue.ts"
import { createPglitePool, pinSearchPath } from "./pglitePool.ts"
import type { ShardQueue } from "./shardQueue.ts"

export type OpenQueueParams = QueueSettings & {
  /** Redis; without it the queue lives in the database. */
  redisUrl?: string | undefined
  /** The outside Postgres, if the database is one. */
  databaseUrl?: string | undefined
  database: Database
}

/** Redis when it is given, else BullMQ's PostgreSQL backend on whichever database holds the truth. */
export async function openQueue(params: OpenQueueParams): Promise<ShardQueue> {
  if (params.redisUrl) return openRedisQueue(params.redisUrl, params)
  if (params.databaseUrl) return openPostgresQueue(params.databaseUrl, params)
  return openEmbeddedQueue(params)
}

async function openRedisQueue(redisUrl: string, settings: QueueSettings): Promise<ShardQueue> {
  // BullMQ wants its commands to wait for a reconnection rather than to fail.
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null, lazyConnect: true })
  connection.on("error", settings.onError)
  await connection.connect()
  const queue = createBullShardQueue({ ...settings, factory: createRedisBackend, connection })
  return {
    ...queue,
    async close() {
      await queue.close()
      connection.disconnect()
    },
  }
}

function openPostgresQueue(connectionString: string, settings: QueueSettings): ShardQueue {
  // BullMQ pins the namespace on connections that it opens itself, so it gets its own, few a line.
  const connection = { connectionString, max: 3, migrate: true }
  return createBullShardQueue({ ...settings, factory: createPostgresBackend, connection })
}

async function openEmbeddedQueue({ database, ...settings }: OpenQueueParams): Promise<ShardQueue> {
  const { pglite } = database
  if (!pglite) throw new Error("an embedded queue needs the embedded database")
  const connection = createPglitePool(pglite)
  const client = await connection.connect()
  await runMigrations(client)
  client.release()
  await pinSearchPath(pglite)
  return createBullShardQueue({ ...settings, factory: createPostgresBackend, connection: connection as never })
}
