import type { Address } from "viem"
import { z } from "zod"
import {
  JobIdSchema,
  JobListSchema,
  JobQuerySchema,
  JobResultsSchema,
  JobSubmissionSchema,
  JobSubmittedSchema,
  JobViewSchema,
  TaskSaltSchema,
} from "#protocol"
import { refuse } from "../../errors.ts"
import { type SubmitJobDeps, submitJob } from "../../jobs/submitJob.ts"
import { findJob, listJobs, type ViewJobDeps, viewJob, viewResults, viewSalt } from "../../jobs/viewJobs.ts"
import type { Metrics } from "../../metrics/metrics.ts"
import type { App, Auth } from "../app.ts"

export type JobRoutesDeps = SubmitJobDeps & ViewJobDeps & { metrics: Metrics; coordinator: Address }

const Params = z.object({ id: JobIdSchema })
const TaskParams = Params.extend({ index: z.coerce.number().int().min(0) })
const signed = { security: [{ signature: [] }] }

export function jobRoutes(app: App, auth: Auth, deps: JobRoutesDeps): void {
  app.post(
    "/v1/jobs",
    {
      schema: {
        description: "Submits a job, before its escrow is posted on chain. The same submission again changes nothing.",
        body: JobSubmissionSchema,
        response: { 200: JobSubmittedSchema },
        ...signed,
      },
    },
    async (request) => {
      const account = await auth(request)
      const submitted = await submitJob(deps, account, request.body)
      deps.metrics.jobsSubmitted.inc()
      return submitted
    },
  )

  app.get(
    "/v1/jobs",
    { schema: { description: "Jobs, newest first.", querystring: JobQuerySchema, response: { 200: JobListSchema } } },
    (request) => listJobs(deps.db, request.query),
  )

  app.get(
    "/v1/jobs/:id",
    { schema: { description: "One job with its batches.", params: Params, response: { 200: JobViewSchema } } },
    (request) => viewJob(deps, request.params.id),
  )

  app.get(
    "/v1/jobs/:id/tasks/:index/salt",
    {
      schema: {
        description: "What computing a task of a public job again needs, once its batch is attested.",
        params: TaskParams,
        response: { 200: TaskSaltSchema },
      },
    },
    async (request) => {
      const { id, index } = request.params
      return { salt: await viewSalt(deps.db, await findJob(deps.db, id), index) }
    },
  )

  app.get(
    "/v1/jobs/:id/results",
    {
      schema: {
        description: "The shards whose outputs are here, for the job's requester.",
        params: Params,
        response: { 200: JobResultsSchema },
        ...signed,
      },
    },
    async (request) => {
      const account = await auth(request)
      const job = await findJob(deps.db, request.params.id)
      if (account !== job.requester && account !== deps.coordinator) {
        throw refuse("E_AUTH_FORBIDDEN", "results are for the job's requester")
      }
      return viewResults(deps.db, job)
    },
  )
}
