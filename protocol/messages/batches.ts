import type { Hex } from "viem"
import { z } from "zod"
import { sha256 } from "../commitments/shaTree.ts"
import { hexOf } from "../hashing/hex.ts"
import { BATCH_STATES } from "../jobs/states.ts"
import { MAX_BATCH_SHARDS } from "../jobs/terms.ts"
import { canonicalJson } from "./canonicalJson.ts"
import {
  AddressSchema,
  BatchIdSchema,
  Bytes32Schema,
  JobIdSchema,
  SignatureSchema,
  Uint32Schema,
  Uint64Schema,
  Uint256Schema,
} from "./fields.ts"
import { WireLeavesSchema } from "./leaves.ts"
import { LeaseSchema, ReceiptSchema, VerdictSchema } from "./signed.ts"

/** The struct that calls about a committed batch resubmit. */
export const BatchSchema = z.object({
  jobId: JobIdSchema,
  number: Uint32Schema,
  firstShard: Uint32Schema,
  root: Bytes32Schema,
  commitBlock: Uint64Schema,
  committer: AddressSchema,
  backer: AddressSchema,
  ranges: z.array(Uint256Schema).min(1).max(MAX_BATCH_SHARDS),
})
export type Batch = z.output<typeof BatchSchema>

/** The struct that calls about an attested batch resubmit. */
export const AttestationSchema = z.object({
  seed: Bytes32Schema,
  verdictRoot: Bytes32Schema,
  verifiers: z.array(Uint256Schema),
  silentRanges: Uint64Schema,
})
export type Attestation = z.output<typeof AttestationSchema>

export const RangeSchema = z.object({ worker: AddressSchema, units: Uint32Schema, mask: Uint64Schema })
export const VerifierTotalSchema = z.object({ verifier: AddressSchema, count: Uint32Schema, units: Uint64Schema })

/** GET /v1/batches/:batchId */
export const BatchViewSchema = z.object({
  batchId: BatchIdSchema,
  jobId: JobIdSchema,
  number: Uint32Schema,
  state: z.enum(BATCH_STATES),
  committer: AddressSchema,
  backer: AddressSchema,
  firstShard: Uint32Schema,
  root: Bytes32Schema,
  /** Absent until the commit is on chain. */
  commitBlock: z.int().min(0).optional(),
  seed: Bytes32Schema.optional(),
  verdictRoot: Bytes32Schema.optional(),
  ranges: z.array(RangeSchema),
  verifiers: z.array(VerifierTotalSchema).optional(),
  silentRanges: Uint64Schema.optional(),
  /** One bit a range. */
  voided: Uint64Schema,
  frozen: Uint64Schema,
  leaves: z.int().min(1),
  k: z.int().min(1),
  dataHash: Bytes32Schema,
  url: z.string(),
  tx: z.object({
    commit: Bytes32Schema.optional(),
    draw: Bytes32Schema.optional(),
    attest: Bytes32Schema.optional(),
    finalize: Bytes32Schema.optional(),
  }),
})
export type BatchView = z.output<typeof BatchViewSchema>

export const BatchShardSchema = z.object({
  shard: Uint32Schema,
  lease: LeaseSchema,
  leaseSignature: SignatureSchema,
  receipt: ReceiptSchema,
  receiptSignature: SignatureSchema,
  leaves: WireLeavesSchema,
})
export type BatchShard = z.output<typeof BatchShardSchema>

export const BatchVerdictSchema = z.object({
  sample: Uint32Schema,
  silent: z.boolean(),
  verdict: VerdictSchema.optional(),
  signature: SignatureSchema.optional(),
})
export type BatchVerdict = z.output<typeof BatchVerdictSchema>

/** GET /v1/batches/:batchId/data: all that a batch's roots commit to. */
export const BatchDataSchema = z.object({
  batchId: BatchIdSchema,
  jobId: JobIdSchema,
  shards: z.array(BatchShardSchema).min(1).max(MAX_BATCH_SHARDS),
  verdicts: z.array(BatchVerdictSchema),
})
export type BatchData = z.output<typeof BatchDataSchema>

export const BatchShardsSchema = BatchDataSchema.pick({ jobId: true, shards: true })
export type BatchShards = z.output<typeof BatchShardsSchema>

/** The bytes whose sha256 is a commit's `dataHash`: they do not name the batch, whose number the chain gives. */
export function encodeBatchShards({ jobId, shards }: BatchShards): Uint8Array {
  return canonicalJson(z.encode(BatchShardsSchema, { jobId, shards }))
}

export function batchDataHash(shards: BatchShards): Hex {
  return hexOf(sha256(encodeBatchShards(shards)))
}
