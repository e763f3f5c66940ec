import type { Terms } from "../jobs/terms.ts"

export type EscrowTerms = Pick<Terms, "tasks" | "maxUnits" | "fee" | "coordinatorFee" | "auditBudget">

/** The part of the escrow that pays work: tasks x u x (F + coordinatorFee). */
export function feeEscrow({ tasks, maxUnits, fee, coordinatorFee }: EscrowTerms): bigint {
  return BigInt(tasks) * BigInt(maxUnits) * (fee + coordinatorFee)
}

/** R9: what posting takes from the requester. */
export function escrow(terms: EscrowTerms): bigint {
  return feeEscrow(terms) + terms.auditBudget
}
