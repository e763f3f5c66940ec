import { z } from "zod"
import { AddressSchema, BatchIdSchema, Bytes32Schema, JobIdSchema, Uint32Schema, Uint64Schema } from "./fields.ts"

/** The signed structs as JSON; field order is that of the EIP-712 types. */

export const LeaseSchema = z.object({
  jobId: JobIdSchema,
  shard: Uint32Schema,
  worker: AddressSchema,
  start: Uint64Schema,
  expiry: Uint64Schema,
})

export const ReceiptSchema = z.object({ leaseHash: Bytes32Schema, shardRoot: Bytes32Schema, units: Uint64Schema })

export const ReleaseSchema = z.object({ leaseHash: Bytes32Schema, at: Uint64Schema })

export const VerdictSchema = z.object({
  batchId: BatchIdSchema,
  sample: Uint32Schema,
  position: Uint32Schema,
  verifier: AddressSchema,
  units: Uint32Schema,
  outputCommitment: Bytes32Schema,
  keyedDigest: Bytes32Schema,
})
