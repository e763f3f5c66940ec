import { z } from "zod"
import { AddressSchema, WorkerHelloSchema, WorkerListSchema, WorkerViewSchema, WorkerWelcomeSchema } from "#protocol"
import { refuse } from "../../errors.ts"
import { type HelloDeps, welcomeWorker } from "../../workers/hello.ts"
import { viewWorker, viewWorkers } from "../../workers/viewWorkers.ts"
import type { App, Auth } from "../app.ts"

export function workerRoutes(app: App, auth: Auth, deps: HelloDeps): void {
  app.post(
    "/v1/workers/hello",
    {
      schema: {
        description: "A worker says what it is, at its start and every half minute, and hears what keeps it from work.",
        body: WorkerHelloSchema,
        response: { 200: WorkerWelcomeSchema },
        security: [{ signature: [] }],
      },
    },
    async (request) => welcomeWorker(deps, await auth(request), request.body),
  )

  app.get(
    "/v1/workers",
    { schema: { description: "Workers, lately seen first.", response: { 200: WorkerListSchema } } },
    async () => ({ workers: await viewWorkers(deps.db) }),
  )

  app.get(
    "/v1/workers/:address",
    {
      schema: {
        description: "One worker.",
        params: z.object({ address: AddressSchema }),
        response: { 200: WorkerViewSchema },
      },
    },
    async (request) => {
      const view = await viewWorker(deps.db, request.params.address)
      if (!view) throw refuse("E_WORKER_UNKNOWN", "this coordinator has never heard of that account")
      return view
    },
  )
}
