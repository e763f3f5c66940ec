import assert from "node:assert/strict"
import { openQueue } from "../../../coordinator/queue/openQueue.ts"
import { openDatabase } from "../../../coordinator/store/database.ts"
import { postgresMissing, redisMissing, startPostgres, startRedis } from "../support/servers.ts"
import { describeShardQueue } from "./shardQueue.case.ts"

const onError = (error: Error) => assert.fail(error)

describeShardQueue({
  name: "the embedded database",
  async start() {
    const database = await openDatabase({})
    return {
      open: (settings) => openQueue({ database, onError, ...settings }),
      stop: () => database.close(),
    }
  },
})

describeShardQueue({
  name: "an outside Postgres",
  skip: postgresMissing(),
  async start() {
    const server = await startPostgres()
    const database = await openDatabase({ databaseUrl: server.url })
    return {
      open: (settings) => openQueue({ database, databaseUrl: server.url, onError, ...settings }),
      async stop() {
        await database.close()
        await server.stop()
      },
    }
  },
})

describeShardQueue({
  name: "Redis",
  skip: redisMissing(),
  async start() {
    const server = await startRedis()
    const database = await openDatabase({})
    return {
      open: (settings) => openQueue({ database, redisUrl: server.url, onError, ...settings }),
      async stop() {
        await database.close()
        await server.stop()
      },
    }
  },
})
