import { z } from "zod"
import { DisputeBundleSchema, DisputeIdSchema } from "#protocol"
import { type DisputeBundleDeps, disputeBundle } from "../../challenges/disputeBundle.ts"
import type { App, Auth } from "../app.ts"

const Params = z.object({ id: DisputeIdSchema })

export function disputeRoutes(app: App, auth: Auth, deps: DisputeBundleDeps): void {
  app.get(
    "/v1/disputes/:id",
    {
      schema: {
        description: "The disputed task with its input and salt, for the jurors and the parties (R28).",
        params: Params,
        response: { 200: DisputeBundleSchema },
        security: [{ signature: [] }],
      },
    },
    async (request) => {
      const account = await auth(request)
      return disputeBundle(deps, { disputeId: request.params.id, account })
    },
  )
}
