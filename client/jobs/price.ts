import {
  type CapabilityInfo,
  formatAmount,
  type Info,
  type MemoryTier,
  minAuditBudget,
  type Terms,
  verdictCollateralUp,
} from "#protocol"
import { clientError } from "../errors.ts"

/** The part of the terms that is money and audits; amounts in the token's smallest unit, rates in basis points. */
export type Price = Pick<
  Terms,
  "fee" | "auditRate" | "auditRatio" | "auditBase" | "auditBudget" | "coordinatorFee" | "valueAtRisk"
>

export type PriceWishes = {
  /** A task's fee; the coordinator's least where none is named. */
  readonly fee?: bigint
  /** Share of tasks that are computed again, basis points. */
  readonly auditRate?: number
  readonly auditBase?: bigint
  /** At least what R9 asks for; half as much again where none is named. What is not used comes back. */
  readonly auditBudget?: bigint
  /** What a wrong result may be worth to a saboteur (R11). */
  readonly valueAtRisk?: bigint
}

const BPS = 10_000
const AUDIT_RATE = 500
/** A verifier does the work of a task, so it earns the fee of one. */
const AUDIT_RATIO = 10_000
/** Shards that are void are audited again: budget for half of them twice. What is not used comes back. */
const [SPARE_NUMERATOR, SPARE_DENOMINATOR] = [3n, 2n]

/** @throws E_AUDIT_RATE, E_FEE before anything is sent */
export function priceJob(info: Info, wishes: PriceWishes, plan: { tasks: number; shardSize: number }): Price {
  const { fee = info.policy.minFee, auditRate = AUDIT_RATE, auditBase = 0n, valueAtRisk = 0n } = wishes
  if (!Number.isInteger(auditRate) || auditRate < 1 || auditRate > BPS) {
    throw clientError("E_AUDIT_RATE", `the audit rate is ${auditRate / 100} %, and must be above 0 and at most 100 %`)
  }
  if (fee < info.policy.minFee || fee === 0n) {
    throw clientError(
      "E_FEE",
      `the fee is ${formatAmount(fee)} a task, and this coordinator takes ${formatAmount(info.policy.minFee)} at least`,
    )
  }
  const money = { fee, auditRate, auditRatio: AUDIT_RATIO, auditBase, maxUnits: 1 }
  const least = verdictCollateralUp(money, info.params)
  if (least > info.params.seat) {
    const message = `a fee of ${formatAmount(fee)} a task makes a false verdict worth more than a verifier's seat (${formatAmount(info.params.seat)}): pay less a task, or cut the work into smaller tasks`
    throw clientError("E_FEE", message)
  }
  const needed = minAuditBudget({ ...money, ...plan })
  const { auditBudget = (needed * SPARE_NUMERATOR) / SPARE_DENOMINATOR } = wishes
  if (auditBudget < needed) {
    throw clientError(
      "E_AUDIT_RATE",
      `the audits of this job can cost ${formatAmount(needed)}, and their budget is ${formatAmount(auditBudget)}`,
    )
  }
  return {
    fee,
    auditRate,
    auditRatio: AUDIT_RATIO,
    auditBase,
    auditBudget,
    coordinatorFee: info.policy.coordinatorFee,
    valueAtRisk,
  }
}

/** As few shards as fit a batch, so that a batch's fixed gas is shared by many tasks; but never one huge lease. */
export function chooseShardSize(tasks: number, info: Info): number {
  const size = Math.ceil(tasks / info.policy.batchMaxShards)
  return Math.max(1, Math.min(size, info.limits.shardSizeMax))
}

/** The smallest memory tier that the model needs and that enough seats stand for (R25). @throws E_NO_SEATS */
export function chooseCapability(info: Info, memoryGiB: MemoryTier): CapabilityInfo {
  const { minSeats, minOwners } = info.params
  const fit = info.capabilities
    .filter((one) => one.profile === "exact-cpu-1" && one.memoryGiB >= memoryGiB)
    .sort((a, b) => a.memoryGiB - b.memoryGiB)
  const open = fit.find(({ seats, owners }) => seats >= minSeats && owners >= minOwners)
  if (open) return open
  const message = `no pool of verifiers fits a model that needs ${memoryGiB} GiB: a batch needs ${minSeats} seats of ${minOwners} owners, and there are ${fit.map(({ seats, owners, memoryGiB: tier }) => `${seats} of ${owners} at ${tier} GiB`).join(", ") || "none"}: start more workers`
  throw clientError("E_NO_SEATS", message)
}
