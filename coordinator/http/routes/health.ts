import { sql } from "drizzle-orm"
import type { Db } from "../../store/database.ts"
import type { App } from "../app.ts"

export type Ready = { ready: boolean; checks: Record<string, string> }

export type HealthRoutesDeps = {
  db: Db
  /** What else must work: a name and a question that throws if it does not. */
  checks: Record<string, () => Promise<void>>
}

export function healthRoutes(app: App, { db, checks }: HealthRoutesDeps): void {
  app.get("/healthz", { schema: { description: "The process lives." } }, async (_request, reply) =>
    reply.send({ ok: true }),
  )
  app.get("/readyz", { schema: { description: "Database, queue and chain answer." } }, async (_request, reply) => {
    const all = { database: async () => void (await db.execute(sql`SELECT 1`)), ...checks }
    const results = await Promise.all(
      Object.entries(all).map(async ([name, check]) => {
        try {
          await check()
          return [name, "ok"] as const
        } catch (error) {
          return [name, (error as Error).message.slice(0, 200)] as const
        }
      }),
    )
    const ready = results.every(([, state]) => state === "ok")
    const body: Ready = { ready, checks: Object.fromEntries(results) }
    return reply.code(ready ? 200 : 503).send(body)
  })
}
