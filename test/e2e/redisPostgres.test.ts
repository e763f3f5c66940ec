import { postgresMissing, redisMissing, startPostgres, startRedis } from "../coordinator/support/servers.ts"
import { scenarios } from "./support/scenarios.ts"

scenarios({
  stores: "Redis and Postgres",
  skip: redisMissing() ?? postgresMissing(),
  open: async () => {
    const [redis, postgres] = [await startRedis(), await startPostgres()]
    return {
      env: { DATABASE_URL: postgres.url, REDIS_URL: redis.url },
      close: async () => {
        await redis.stop()
        await postgres.stop()
      },
    }
  },
})
