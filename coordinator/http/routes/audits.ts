import { z } from "zod"
import {
  AuditBundleSchema,
  AuditRequestSchema,
  BatchIdSchema,
  VerdictSubmissionSchema,
  VerdictsStoredSchema,
} from "#protocol"
import type { AuditDesk } from "../../audits/auditDesk.ts"
import { type StoreVerdictsDeps, storeVerdicts } from "../../audits/storeVerdicts.ts"
import type { App, Auth } from "../app.ts"
import { connectionSignal } from "../connectionSignal.ts"

export type AuditRoutesDeps = StoreVerdictsDeps & { auditDesk: AuditDesk }

const Params = z.object({ batchId: BatchIdSchema })
const signed = { security: [{ signature: [] }] }

export function auditRoutes(app: App, auth: Auth, deps: AuditRoutesDeps): void {
  app.post(
    "/v1/audits",
    {
      schema: {
        description: "Asks for drawn tasks to verify, without the answers (R21). 204: none by then, ask again.",
        body: AuditRequestSchema,
        response: { 200: AuditBundleSchema, 204: z.null().describe("Nothing to audit by then.") },
        ...signed,
      },
    },
    async (request, reply) => {
      const account = await auth(request)
      const signal = connectionSignal(reply)
      const bundle = await deps.auditDesk.ask({ account, waitMs: request.body.wait * 1_000, signal })
      if (!bundle) return reply.code(204).send(null)
      return reply.code(200).send(bundle)
    },
  )

  app.post(
    "/v1/audits/:batchId/verdicts",
    {
      schema: {
        description: "Signed verdicts of one batch. Each is stored or refused on its own.",
        params: Params,
        body: VerdictSubmissionSchema,
        response: { 200: VerdictsStoredSchema },
        ...signed,
      },
    },
    async (request) => {
      const account = await auth(request)
      const { batchId } = request.params
      return storeVerdicts(deps, { account, batchId, signed: request.body.verdicts })
    },
  )
}
