import { z } from "zod"

/** Every answer that is no success. Branch on `code`; `message` is for people. */
export const ErrorBodySchema = z.object({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
})
export type ErrorBody = z.output<typeof ErrorBodySchema>

/** A refusal or a state, named: a code of the reasons table and one sentence. */
export const ReasonSchema = z.object({ code: z.string(), text: z.string() })
export type Reason = z.output<typeof ReasonSchema>
