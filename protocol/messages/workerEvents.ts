import { z } from "zod"
import {
  AddressSchema,
  BatchIdSchema,
  Bytes32Schema,
  DisputeIdSchema,
  JobIdSchema,
  TimeSchema,
  Uint96Schema,
} from "./fields.ts"

const at = TimeSchema
const shard = z.int().min(0)
const tx = Bytes32Schema.optional()

/** What a worker tells its terminal and, with `--json`, prints as one line each. */
export const WorkerEventSchema = z.discriminatedUnion("kind", [
  z.object({ at, kind: z.literal("selfTest"), ok: z.boolean(), profile: z.string(), text: z.string().optional() }),
  z.object({ at, kind: z.literal("staked"), seats: z.int(), amount: Uint96Schema, capability: Bytes32Schema, tx }),
  z.object({ at, kind: z.literal("leased"), jobId: JobIdSchema, shard, tasks: z.int(), expiry: z.int() }),
  z.object({ at, kind: z.literal("computed"), jobId: JobIdSchema, shard, tasks: z.int(), ms: z.number() }),
  z.object({ at, kind: z.literal("receipt"), jobId: JobIdSchema, shard, leaseHash: Bytes32Schema, units: z.int() }),
  z.object({
    at,
    kind: z.literal("audited"),
    batchId: BatchIdSchema,
    samples: z.int(),
    ms: z.number(),
    /** Whose seed drew them to be audited a second time (R22). */
    round: z.int().optional(),
  }),
  z.object({ at, kind: z.literal("voted"), disputeId: DisputeIdSchema, phase: z.enum(["commit", "reveal"]), tx }),
  /** A move in a dispute of the game, or `outcome` at its end. */
  z.object({ at, kind: z.literal("disputed"), disputeId: DisputeIdSchema, move: z.string(), text: z.string(), tx }),
  z.object({
    at,
    kind: z.literal("proved"),
    batchId: BatchIdSchema,
    sample: z.int(),
    verifier: AddressSchema,
    fault: z.enum(["copied", "madeUp"]),
    tx,
  }),
  z.object({
    at,
    kind: z.literal("committed"),
    batchId: BatchIdSchema,
    by: z.enum(["coordinator", "self"]),
    units: z.int(),
    tx,
  }),
  z.object({
    at,
    kind: z.literal("paid"),
    batchId: BatchIdSchema,
    role: z.enum(["worker", "verifier", "juror", "coordinator"]),
    amount: Uint96Schema,
    tx,
  }),
  z.object({ at, kind: z.literal("refused"), code: z.string(), text: z.string() }),
  z.object({ at, kind: z.literal("slashed"), amount: Uint96Schema, code: z.string(), text: z.string(), tx }),
  z.object({ at, kind: z.literal("withdrawn"), amount: Uint96Schema, coordinator: AddressSchema.optional(), tx }),
  /** Native coin, in wei, that disputes and demands left to this worker. */
  z.object({ at, kind: z.literal("coins"), amount: Uint96Schema, tx }),
  z.object({ at, kind: z.literal("idle"), code: z.string(), text: z.string() }),
  z.object({ at, kind: z.literal("error"), code: z.string(), text: z.string() }),
])
export type WorkerEvent = z.output<typeof WorkerEventSchema>
