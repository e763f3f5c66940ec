import { z } from "zod"
import { BatchIdSchema, LeaseBundleSchema, leaseHash, ReceiptSchema, Sha256Schema, WireLeavesSchema } from "#protocol"

/**
 * Where a lease of ours stands.
 * leased: no receipt yet. signed: a receipt exists, the coordinator has not said that it stored it. stored: it has.
 * committed: in a batch. open: the batch was lost through its coordinator, and only we may commit it again (R18).
 * Ends: final (paid), void (lost with its range), released (given back), lost (run out, or somebody else's now).
 */
export const RECORD_STATES = [
  "leased",
  "signed",
  "stored",
  "committed",
  "open",
  "final",
  "void",
  "released",
  "lost",
] as const
export type RecordState = (typeof RECORD_STATES)[number]
const ENDED: readonly RecordState[] = ["final", "void", "released", "lost"]

export const ResultSchema = z.object({ leaves: WireLeavesSchema, outputs: Sha256Schema, receipt: ReceiptSchema })

/** All that is needed to deliver a shard again, or to commit it without the coordinator. */
export const RecordSchema = z.object({
  state: z.enum(RECORD_STATES),
  bundle: LeaseBundleSchema,
  result: ResultSchema.optional(),
  batchId: BatchIdSchema.optional(),
  /** Chain time of the last change: what a claim period is measured from. */
  changedAt: z.int(),
})
export type LeaseRecord = z.output<typeof RecordSchema>
export type ShardResultRecord = z.output<typeof ResultSchema>
export type SignedRecord = LeaseRecord & { result: ShardResultRecord }

export const recordHash = (record: Pick<LeaseRecord, "bundle">) => leaseHash(record.bundle.lease)

export function hasEnded({ state }: LeaseRecord): boolean {
  return ENDED.includes(state)
}

export function isSigned(record: LeaseRecord): record is SignedRecord {
  return record.result !== undefined
}
