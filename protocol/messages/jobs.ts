import { z } from "zod"
import { JOB_STATES, SHARD_STATES } from "../jobs/states.ts"
import { BatchViewSchema } from "./batches.ts"
import { ReasonSchema } from "./errors.ts"
import {
  AddressSchema,
  BatchIdSchema,
  Bytes32Schema,
  JobIdSchema,
  Sha256Schema,
  TimeSchema,
  Uint32Schema,
  Uint64Schema,
  Uint96Schema,
} from "./fields.ts"
import { WireLeavesSchema } from "./leaves.ts"
import { SpecSchema } from "./spec.ts"
import { TermsSchema } from "./terms.ts"

/** POST /v1/jobs, before the job is posted on chain. `jobSalt` is the secret of R6: it goes nowhere else. */
export const JobSubmissionSchema = z.object({
  terms: TermsSchema,
  nonce: Uint64Schema,
  spec: SpecSchema,
  jobSalt: Bytes32Schema,
  /** An uploaded bundle of tensors that results will repeat: workers may read it, and need not send them. */
  expected: Sha256Schema.optional(),
})
export type JobSubmission = z.output<typeof JobSubmissionSchema>

export const JobSubmittedSchema = z.object({ jobId: JobIdSchema })
export type JobSubmitted = z.output<typeof JobSubmittedSchema>

const CountSchema = z.int().min(0)
export const ShardCountsSchema = z.object({
  queued: CountSchema,
  leased: CountSchema,
  received: CountSchema,
  committed: CountSchema,
  attested: CountSchema,
  final: CountSchema,
  void: CountSchema,
})
export type ShardCounts = z.output<typeof ShardCountsSchema>

export const JobSummarySchema = z.object({
  jobId: JobIdSchema,
  requester: AddressSchema,
  state: z.enum(JOB_STATES),
  title: z.string().optional(),
  tasks: Uint32Schema,
  shards: Uint32Schema,
  createdAt: TimeSchema,
  deadline: TimeSchema,
  fee: Uint96Schema,
  counts: ShardCountsSchema,
})
export type JobSummary = z.output<typeof JobSummarySchema>

export const JobQuerySchema = z.object({
  requester: AddressSchema.optional(),
  state: z.enum(JOB_STATES).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
})
export type JobQuery = z.output<typeof JobQuerySchema>

/** GET /v1/jobs/:id/tasks/:index/salt, of a public job whose batch is attested. */
export const TaskSaltSchema = z.object({ salt: Bytes32Schema })

/** GET /v1/jobs; `next` is the cursor of the next page. */
export const JobListSchema = z.object({ jobs: z.array(JobSummarySchema), next: z.string().optional() })
export type JobList = z.output<typeof JobListSchema>

/** GET /v1/jobs/:id */
export const JobViewSchema = JobSummarySchema.extend({
  terms: TermsSchema,
  spec: SpecSchema,
  batches: z.array(BatchViewSchema),
  reason: ReasonSchema,
})
export type JobView = z.output<typeof JobViewSchema>

export const ShardResultSchema = z.object({
  shard: Uint32Schema,
  firstTask: Uint32Schema,
  count: z.int().min(1),
  worker: AddressSchema,
  /** Absent until the shard is in a batch. */
  batchId: BatchIdSchema.optional(),
  state: z.enum(SHARD_STATES),
  outputs: Sha256Schema,
  leaves: WireLeavesSchema,
})
export type ShardResult = z.output<typeof ShardResultSchema>

/** GET /v1/jobs/:id/results: the shards whose outputs the coordinator has. */
export const JobResultsSchema = z.object({ jobId: JobIdSchema, shards: z.array(ShardResultSchema) })
export type JobResults = z.output<typeof JobResultsSchema>
