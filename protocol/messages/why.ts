import { z } from "zod"
import { Bytes32Schema, TimeSchema } from "./fields.ts"

export const WhyEventSchema = z.object({
  at: TimeSchema,
  code: z.string(),
  text: z.string(),
  tx: Bytes32Schema.optional(),
})
export type WhyEvent = z.output<typeof WhyEventSchema>

/** GET /v1/why/...: what happened to a job, a task or a worker, and which rule decided it. */
export const WhySchema = z.object({
  subject: z.string(),
  state: z.string(),
  code: z.string(),
  reason: z.string(),
  rule: z.string(),
  events: z.array(WhyEventSchema),
})
export type Why = z.output<typeof WhySchema>
