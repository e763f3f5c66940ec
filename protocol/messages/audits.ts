import { z } from "zod"
import { AttestationSchema, BatchSchema } from "./batches.ts"
import {
  BatchIdSchema,
  Bytes32Schema,
  DisputeIdSchema,
  Sha256Schema,
  SignatureSchema,
  Uint32Schema,
  Uint40Schema,
} from "./fields.ts"
import { CachedModelsSchema, WaitSchema } from "./leases.ts"
import { VerdictSchema } from "./signed.ts"
import { SpecSchema } from "./spec.ts"
import { TermsSchema } from "./terms.ts"

/** POST /v1/audits: 200 with a bundle, or 204 when the wait is over. */
export const AuditRequestSchema = z.object({ wait: WaitSchema, cachedModels: CachedModelsSchema })
export type AuditRequest = z.output<typeof AuditRequestSchema>

const MAX_SAMPLES = 65_536

export const AuditSampleSchema = z.object({
  sample: Uint32Schema,
  position: Uint32Schema,
  taskIndex: Uint32Schema,
  salt: Bytes32Schema,
  inputCommitment: Bytes32Schema,
  /** Path of this task against `terms.inputs`. */
  inputProof: z.array(Bytes32Schema).max(32),
})
export type AuditSample = z.output<typeof AuditSampleSchema>

/** The drawn tasks of one batch for one verifier. Blind (R21): no answer is in here. */
export const AuditBundleSchema = z.object({
  batchId: BatchIdSchema,
  batch: BatchSchema,
  seed: Bytes32Schema,
  terms: TermsSchema,
  spec: SpecSchema,
  /** Chain time until which the auditor waits for these. */
  deadline: Uint40Schema,
  samples: z.array(AuditSampleSchema).min(1).max(MAX_SAMPLES),
  /** A bundle with those tasks only. */
  inputs: Sha256Schema,
  /** R22: the round whose seed drew these verdicts to be given a second time; absent in a first audit. */
  round: Uint32Schema.optional(),
})
export type AuditBundle = z.output<typeof AuditBundleSchema>

export const SignedVerdictSchema = z.object({ verdict: VerdictSchema, signature: SignatureSchema })
export type SignedVerdict = z.output<typeof SignedVerdictSchema>

/** POST /v1/audits/:batchId/verdicts */
export const VerdictSubmissionSchema = z.object({ verdicts: z.array(SignedVerdictSchema).min(1).max(MAX_SAMPLES) })
export type VerdictSubmission = z.output<typeof VerdictSubmissionSchema>

export const VerdictsStoredSchema = z.object({
  stored: z.int().min(0),
  refused: z.array(z.object({ sample: Uint32Schema, code: z.string() })),
})
export type VerdictsStored = z.output<typeof VerdictsStoredSchema>

/** GET /v1/disputes/:id: what a juror needs to find the answer for itself. */
export const DisputeBundleSchema = z.object({
  disputeId: DisputeIdSchema,
  batchId: BatchIdSchema,
  batch: BatchSchema,
  seed: Bytes32Schema.optional(),
  attestation: AttestationSchema.optional(),
  terms: TermsSchema,
  spec: SpecSchema,
  sample: Uint32Schema,
  position: Uint32Schema,
  taskIndex: Uint32Schema,
  salt: Bytes32Schema,
  inputCommitment: Bytes32Schema,
  inputProof: z.array(Bytes32Schema).max(32),
  inputs: Sha256Schema,
})
export type DisputeBundle = z.output<typeof DisputeBundleSchema>
