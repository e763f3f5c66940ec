import type { Address } from "viem"
import { z } from "zod"
import { BatchDataSchema, BatchIdSchema, BatchViewSchema } from "#protocol"
import type { ArtifactStore } from "../../artifacts/artifactStore.ts"
import { batchData, batchView, findBatch, isPublic, mayReadData } from "../../batches/viewBatches.ts"
import { refuse } from "../../errors.ts"
import type { Db } from "../../store/database.ts"
import type { App, Auth } from "../app.ts"

export type BatchRoutesDeps = { db: Db; artifacts: Pick<ArtifactStore, "read">; coordinator: Address }

const Params = z.object({ batchId: BatchIdSchema })

export function batchRoutes(app: App, auth: Auth, deps: BatchRoutesDeps): void {
  const { db, coordinator } = deps

  app.get(
    "/v1/batches/:batchId",
    { schema: { description: "One batch as the chain has it.", params: Params, response: { 200: BatchViewSchema } } },
    async (request) => batchView(await findBatch(db, request.params.batchId)),
  )

  app.get(
    "/v1/batches/:batchId/data",
    {
      schema: {
        description: "Leases, receipts, leaves and verdicts: anyone's once attested, before that by signed request.",
        params: Params,
        response: { 200: BatchDataSchema },
      },
    },
    async (request) => {
      const row = await findBatch(db, request.params.batchId)
      if (!isPublic(row) && !(await mayReadData(db, row, await auth(request), coordinator))) {
        throw refuse("E_BATCH_NOT_PUBLIC", "leaves are public once the batch is attested")
      }
      return batchData(deps, row)
    },
  )
}
