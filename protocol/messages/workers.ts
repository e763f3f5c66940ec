import { z } from "zod"
import { ReasonSchema } from "./errors.ts"
import { AddressSchema, plainText, TimeSchema, Uint96Schema, UrlSchema } from "./fields.ts"
import { MemorySchema, ProfileSchema } from "./spec.ts"

export const WorkerProfileSchema = z.object({
  profile: ProfileSchema,
  memoryGiB: MemorySchema,
  selfTest: z.enum(["ok", "failed"]),
})
export type WorkerProfile = z.output<typeof WorkerProfileSchema>

/** POST /v1/workers/hello */
export const WorkerHelloSchema = z.object({
  version: plainText(64),
  sessionKey: AddressSchema,
  profiles: z.array(WorkerProfileSchema).min(1).max(16),
  threads: z.int().min(1).max(4096),
  device: plainText(64),
  verifyOnly: z.boolean(),
  publicUrl: UrlSchema.optional(),
})
export type WorkerHello = z.output<typeof WorkerHelloSchema>

export const WorkerWelcomeSchema = z.object({
  account: AddressSchema,
  ready: z.boolean(),
  /** Why it gets no leases, one a reason; empty when it is ready. */
  refused: z.array(ReasonSchema),
  collateralPerRange: Uint96Schema.optional(),
})
export type WorkerWelcome = z.output<typeof WorkerWelcomeSchema>

/** GET /v1/workers/:address */
export const WorkerViewSchema = z.object({
  account: AddressSchema,
  online: z.boolean(),
  lastSeen: TimeSchema,
  profiles: z.array(WorkerProfileSchema),
  verifyOnly: z.boolean(),
  /** Shards leased, and shards whose receipt is stored but not final. */
  running: z.int().min(0),
  waiting: z.int().min(0),
  uncommittedUnits: z.int().min(0),
  refused: z.array(ReasonSchema),
})
export type WorkerView = z.output<typeof WorkerViewSchema>

/** GET /v1/workers */
export const WorkerListSchema = z.object({ workers: z.array(WorkerViewSchema) })
export type WorkerList = z.output<typeof WorkerListSchema>
