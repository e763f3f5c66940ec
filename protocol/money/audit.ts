import { PANEL_SIZE } from "../draw/panel.ts"
import { sampleCount } from "../draw/samples.ts"
import { shardCount } from "../jobs/shards.ts"
import type { Terms } from "../jobs/terms.ts"
import { BPS, divUp } from "./rounding.ts"

export type AuditTerms = Pick<Terms, "fee" | "auditRatio" | "auditBase" | "maxUnits">

/** A: what auditing one unit earns. Rounded once, here, so that pay by totals is exact (R23). */
export function auditUnitRateUp({ fee, auditRatio }: Pick<Terms, "fee" | "auditRatio">): bigint {
  return divUp(BigInt(auditRatio) * fee, BPS)
}

/** The most that one verdict can earn: what a false one must be dear against (R22). */
export function auditFee(terms: AuditTerms): bigint {
  return BigInt(terms.maxUnits) * auditUnitRateUp(terms) + terms.auditBase
}

/** R23: what a commit reserves for its k samples. A panel has 16 places, so at most 16 verifiers earn a base. */
export function auditReserve(terms: AuditTerms, samples: number): bigint {
  const paid = BigInt(Math.min(PANEL_SIZE, samples))
  return BigInt(samples) * BigInt(terms.maxUnits) * auditUnitRateUp(terms) + paid * terms.auditBase
}

export type BudgetTerms = AuditTerms & Pick<Terms, "tasks" | "shardSize" | "auditRate">

/** R9: the least audit budget of a job, so that any shard can always be committed alone. */
export function minAuditBudget(terms: BudgetTerms): bigint {
  const samples = BigInt(sampleCount(terms.auditRate, terms.shardSize))
  return BigInt(shardCount(terms)) * samples * auditFee(terms)
}

/** What one verifier earns of one batch: a base once, and its units at the rate (R23). */
export function auditPay(terms: AuditTerms, units: bigint): bigint {
  return units * auditUnitRateUp(terms) + terms.auditBase
}
