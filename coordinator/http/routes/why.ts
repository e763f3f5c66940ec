import { z } from "zod"
import { AddressSchema, formatJobId, JobIdSchema, type Why, WhySchema } from "#protocol"
import { findJob } from "../../jobs/viewJobs.ts"
import { type ExplainJobDeps, explainJob } from "../../why/explainJob.ts"
import { explainTask } from "../../why/explainTask.ts"
import { type ExplainWorkerDeps, explainWorker } from "../../why/explainWorker.ts"
import { jobEvents, taskEvents, workerEvents } from "../../why/readEvents.ts"
import type { App } from "../app.ts"

export type WhyRoutesDeps = ExplainJobDeps & ExplainWorkerDeps

const response = { 200: WhySchema }

export function whyRoutes(app: App, deps: WhyRoutesDeps): void {
  app.get(
    "/v1/why/job/:id",
    { schema: { description: "Why a job is where it is.", params: z.object({ id: JobIdSchema }), response } },
    async (request): Promise<Why> => {
      const job = await findJob(deps.db, request.params.id)
      const { code, text, rule } = await explainJob(deps, job)
      const events = await jobEvents(deps.db, job.jobId)
      return { subject: `job ${formatJobId(job.jobId)}`, state: job.state, code, reason: text, rule, events }
    },
  )

  app.get(
    "/v1/why/task/:id/:index",
    {
      schema: {
        description: "Why a task is where it is.",
        params: z.object({ id: JobIdSchema, index: z.coerce.number().int().min(0).max(0xffff_ffff) }),
        response,
      },
    },
    async (request): Promise<Why> => {
      const { id, index: taskIndex } = request.params
      const job = await findJob(deps.db, id)
      const { state, code, text, rule, shard } = await explainTask(deps, job, taskIndex)
      const { shard: number, batchId, worker } = shard
      const events = await taskEvents(deps.db, { jobId: job.jobId, shard: number, taskIndex, batchId, worker })
      return { subject: `task ${taskIndex} of job ${formatJobId(job.jobId)}`, state, code, reason: text, rule, events }
    },
  )

  app.get(
    "/v1/why/worker/:address",
    {
      schema: {
        description: "Why a worker does or does not get work.",
        params: z.object({ address: AddressSchema }),
        response,
      },
    },
    async (request): Promise<Why> => {
      const { address } = request.params
      const { state, code, text, rule } = await explainWorker(deps, address)
      const events = await workerEvents(deps.db, address)
      return { subject: `worker ${address}`, state, code, reason: text, rule, events }
    },
  )
}
