import { z } from "zod"
import { MAX_SHARD_SIZE } from "../jobs/terms.ts"
import {
  Bytes32Schema,
  CodeSchema,
  plainText,
  Sha256Schema,
  SignatureSchema,
  Uint32Schema,
  Uint40Schema,
} from "./fields.ts"
import { WireLeavesSchema } from "./leaves.ts"
import { LeaseSchema, ReceiptSchema, ReleaseSchema } from "./signed.ts"
import { SpecSchema } from "./spec.ts"
import { TermsSchema } from "./terms.ts"

/** How long a poll may wait for work, in seconds. */
export const WaitSchema = z.int().min(0).max(25)
export const CachedModelsSchema = z.array(Sha256Schema).max(256)

/** POST /v1/leases: 200 with a bundle, or 204 when the wait is over. */
export const LeaseRequestSchema = z.object({
  wait: WaitSchema,
  capability: Bytes32Schema,
  cachedModels: CachedModelsSchema,
})
export type LeaseRequest = z.output<typeof LeaseRequestSchema>

/** All that a worker needs of one shard. `inputProof` is the multiproof of its positions against `terms.inputs`. */
export const LeaseBundleSchema = z.object({
  lease: LeaseSchema,
  signature: SignatureSchema,
  terms: TermsSchema,
  spec: SpecSchema,
  firstTask: Uint32Schema,
  count: z.int().min(1).max(MAX_SHARD_SIZE),
  salts: z.array(Bytes32Schema).min(1).max(MAX_SHARD_SIZE),
  inputCommitments: z.array(Bytes32Schema).min(1).max(MAX_SHARD_SIZE),
  inputProof: z.array(Bytes32Schema).max(128),
  inputs: Sha256Schema,
  /** An artifact whose tensors results may repeat: an upload can refer to it. */
  expected: Sha256Schema.optional(),
  /** Chain time at the coordinator. */
  serverTime: Uint40Schema,
})
export type LeaseBundle = z.output<typeof LeaseBundleSchema>

/** POST /v1/leases/:leaseHash/receipt */
export const ReceiptSubmissionSchema = z.object({
  receipt: ReceiptSchema,
  signature: SignatureSchema,
  leaves: WireLeavesSchema,
  outputs: Sha256Schema,
})
export type ReceiptSubmission = z.output<typeof ReceiptSubmissionSchema>

export const ReceiptStoredSchema = z.object({ stored: z.literal(true) })
export type ReceiptStored = z.output<typeof ReceiptStoredSchema>

/** POST /v1/leases/:leaseHash/release: why, in a code and words that `why` repeats. */
export const ReleaseSubmissionSchema = z.object({
  release: ReleaseSchema,
  signature: SignatureSchema,
  code: CodeSchema,
  text: plainText(500),
})
export type ReleaseSubmission = z.output<typeof ReleaseSubmissionSchema>

export const ReleasedSchema = z.object({ released: z.literal(true) })
export type Released = z.output<typeof ReleasedSchema>
