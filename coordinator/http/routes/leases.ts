import type { FastifyReply } from "fastify"
import { z } from "zod"
import {
  Bytes32Schema,
  type LeaseBundle,
  LeaseBundleSchema,
  LeaseRequestSchema,
  ReceiptStoredSchema,
  ReceiptSubmissionSchema,
  ReleasedSchema,
  ReleaseSubmissionSchema,
} from "#protocol"
import { refuse } from "../../errors.ts"
import type { LeaseDesk } from "../../leases/leaseDesk.ts"
import { releaseLease } from "../../leases/releaseLease.ts"
import { type StoreReceiptDeps, storeReceipt } from "../../leases/storeReceipt.ts"
import type { Metrics } from "../../metrics/metrics.ts"
import type { WorkerBook } from "../../workers/workerBook.ts"
import type { App, Auth } from "../app.ts"
import { connectionSignal } from "../connectionSignal.ts"

export type LeaseRoutesDeps = StoreReceiptDeps & {
  desk: LeaseDesk
  book: WorkerBook
  metrics: Metrics
  /** A receipt was stored. */
  onReceipt: () => void
  /** A shard waits again. */
  onQueued: () => void
}

/** A bundle's JSON by the schema, but for the spec, which is the same in every lease of the job. */
function encodeLease(bundle: LeaseBundle, specJson: string): string {
  const rest = JSON.stringify(z.encode(WithoutSpec, bundle))
  return `${rest.slice(0, -1)},"spec":${specJson}}`
}

const WithoutSpec = LeaseBundleSchema.omit({ spec: true })

function sendJson(reply: FastifyReply, json: string) {
  return reply
    .code(200)
    .type("application/json")
    .serializer(String)
    .send(json as never)
}

const Params = z.object({ leaseHash: Bytes32Schema })
const signed = { security: [{ signature: [] }] }

export function leaseRoutes(app: App, auth: Auth, deps: LeaseRoutesDeps): void {
  const { desk, book, metrics } = deps

  app.post(
    "/v1/leases",
    {
      schema: {
        description: "Asks for a shard; waits up to `wait` seconds for one. 204: none by then, ask again.",
        body: LeaseRequestSchema,
        response: { 200: LeaseBundleSchema, 204: z.null().describe("No shard by then.") },
        ...signed,
      },
    },
    async (request, reply) => {
      const worker = await auth(request)
      if (!(await book.get(worker))) throw refuse("E_WORKER_UNKNOWN", "say hello first: POST /v1/workers/hello")
      const { wait, capability, cachedModels } = request.body
      const signal = connectionSignal(reply)
      const bundle = await desk.ask({ worker, capability, cachedModels, waitMs: wait * 1_000, signal })
      if (!bundle) return reply.code(204).send(null)
      const { specJson } = await deps.contexts.get(bundle.lease.jobId)
      return sendJson(reply, encodeLease(bundle, specJson))
    },
  )

  app.post(
    "/v1/leases/:leaseHash/receipt",
    {
      schema: {
        description: "The worker's signed receipt for a leased shard, with its leaves. Outputs are uploaded before.",
        params: Params,
        body: ReceiptSubmissionSchema,
        response: { 200: ReceiptStoredSchema },
        ...signed,
      },
    },
    async (request) => {
      const account = await auth(request)
      const { leaseHash } = request.params
      const { fresh, tasks } = await storeReceipt(deps, { account, leaseHash, submission: request.body })
      if (fresh) {
        metrics.receipts.inc()
        metrics.tasksReceived.inc(tasks)
        book.forget(account)
        deps.onReceipt()
      }
      return { stored: true as const }
    },
  )

  app.post(
    "/v1/leases/:leaseHash/release",
    {
      schema: {
        description: "The worker's signed word that it gives a lease back, and why.",
        params: Params,
        body: ReleaseSubmissionSchema,
        response: { 200: ReleasedSchema },
        ...signed,
      },
    },
    async (request) => {
      const account = await auth(request)
      const { leaseHash } = request.params
      const { requeued } = await releaseLease(deps, { account, leaseHash, submission: request.body })
      if (requeued) {
        metrics.released.inc()
        book.forget(account)
        deps.onQueued()
      }
      return { released: true as const }
    },
  )
}
