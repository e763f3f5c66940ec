import {
  postgresMissing,
  redisMissing,
  startBucket,
  startPostgres,
  startRedis,
} from "../coordinator/support/servers.ts"
import { scenarios } from "./support/scenarios.ts"

scenarios({
  stores: "Redis, Postgres and a bucket",
  slotState: "none",
  skip: redisMissing() ?? postgresMissing(),
  open: async () => {
    const [redis, postgres, bucket] = [await startRedis(), await startPostgres(), await startBucket()]
    return {
      env: { DATABASE_URL: postgres.url, REDIS_URL: redis.url, ARTIFACTS_URL: bucket.url, ...bucket.env },
      close: async () => {
        await bucket.stop()
        await redis.stop()
        await postgres.stop()
      },
    }
  },
})
