import { minAuditBudget } from "../money/audit.ts"
import { collateralUp, type PriceParams, verdictCollateralUp } from "../money/collateral.ts"
import { feeEscrow } from "../money/escrow.ts"
import { shardCount } from "./shards.ts"
import {
  JOB_CLASSES,
  JOB_KINDS,
  MAX_BATCH_SHARDS,
  MAX_JOB_SHARDS,
  MAX_SHARD_SIZE,
  TERMS_VERSION,
  type Terms,
} from "./terms.ts"

export type TermsProblemCode =
  | "E_TERMS_VERSION"
  | "E_TERMS_KIND"
  | "E_TERMS_CLASS"
  | "E_TERMS_COORDINATOR"
  | "E_TERMS_TASKS"
  | "E_TERMS_SHARD_SIZE"
  | "E_TERMS_UNITS"
  | "E_TERMS_FEE"
  | "E_TERMS_AUDIT_RATE"
  | "E_TERMS_AUDIT_BUDGET"
  | "E_TERMS_ESCROW"
  | "E_TERMS_COLLATERAL"
  | "E_TERMS_SEAT"
  | "E_TERMS_DEADLINE"

export type TermsProblem = { readonly code: TermsProblemCode; readonly message: string }

export type CheckTermsParams = {
  terms: Terms
  params: PriceParams & { seat: bigint }
  /** Chain time, seconds. */
  now: bigint
  minFee?: bigint
}

const MAX_UINT96 = (1n << 96n) - 1n
/** A bond of 64 collaterals has 96 bits. */
const MAX_COLLATERAL = MAX_UINT96 >> 6n
const MAX_UINT40 = (1n << 40n) - 1n
/** A range word has 32 bits for units, and a range may be a whole batch. */
const MAX_RANGE_UNITS = 2 ** 32 - 1

/** Everything that `post` or a later commit would revert for, before money moves; empty when the terms are good. */
export function checkTerms({ terms, params, now, minFee = 1n }: CheckTermsParams): TermsProblem[] {
  const problems: TermsProblem[] = []
  const need = (ok: boolean, code: TermsProblemCode, message: string) => {
    if (!ok) problems.push({ code, message })
  }
  need(
    terms.version === TERMS_VERSION,
    "E_TERMS_VERSION",
    `version ${terms.version} is not known; use ${TERMS_VERSION}`,
  )
  need(
    terms.kind === JOB_KINDS.batch,
    "E_TERMS_KIND",
    "sessions and training runs cannot be posted yet; use a batch job",
  )
  need(terms.class === JOB_CLASSES.exact, "E_TERMS_CLASS", "tolerant jobs cannot be posted yet; use the exact class")
  need(BigInt(terms.coordinator) !== 0n, "E_TERMS_COORDINATOR", "the terms name no coordinator")
  need(terms.tasks >= 1, "E_TERMS_TASKS", "a job needs at least one task")
  const shardOk = terms.shardSize >= 1 && terms.shardSize <= MAX_SHARD_SIZE
  need(shardOk, "E_TERMS_SHARD_SIZE", `a shard has 1 to ${MAX_SHARD_SIZE} tasks, not ${terms.shardSize}`)
  const mostUnits = terms.maxUnits * terms.shardSize * MAX_BATCH_SHARDS
  const unitsOk = terms.maxUnits >= 1 && mostUnits <= MAX_RANGE_UNITS
  need(unitsOk, "E_TERMS_UNITS", `${terms.maxUnits} units a task: a batch of such tasks has no room for its units`)
  need(terms.fee >= minFee, "E_TERMS_FEE", `the fee of ${terms.fee} a unit is below ${minFee}`)
  const rateOk = terms.auditRate >= 1 && terms.auditRate <= 10_000
  need(rateOk, "E_TERMS_AUDIT_RATE", `an audit rate is 1 to 10000 basis points, not ${terms.auditRate}`)
  const inTime = terms.deadline > now && terms.deadline <= MAX_UINT40
  need(inTime, "E_TERMS_DEADLINE", "the deadline has passed in chain time, or is beyond 40 bits")
  // The sums below divide by the rate and multiply by the shards: they mean nothing while those are out of range.
  if (!shardOk || !rateOk) return problems
  const shards = shardCount(terms)
  need(shards <= MAX_JOB_SHARDS, "E_TERMS_TASKS", `${shards} shards; a job has at most ${MAX_JOB_SHARDS}`)
  const budget = minAuditBudget(terms)
  need(
    terms.auditBudget >= budget,
    "E_TERMS_AUDIT_BUDGET",
    `the audit budget is ${terms.auditBudget}; R9 asks for ${budget}`,
  )
  need(feeEscrow(terms) <= MAX_UINT96, "E_TERMS_ESCROW", "the fees do not fit 96 bits; lower the fee or split the job")
  need(
    collateralUp(terms, params) <= MAX_COLLATERAL,
    "E_TERMS_COLLATERAL",
    "the collateral of 64 ranges does not fit 96 bits",
  )
  const risk = verdictCollateralUp(terms, params)
  need(risk <= params.seat, "E_TERMS_SEAT", `a false verdict must cost ${risk}, but a seat is ${params.seat} (R22)`)
  return problems
}
