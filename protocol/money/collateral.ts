import type { Terms } from "../jobs/terms.ts"
import { type AuditTerms, auditFee } from "./audit.ts"
import { BPS, divUp } from "./rounding.ts"

/** The immutables of a deployment that price a cheat: r, b and p_v in basis points. */
export type PriceParams = {
  readonly minCollateral: bigint
  readonly colluding: number
  readonly burnRate: number
  readonly reauditRate: number
}

/** d = (1 - r)^3 in basis points, rounded down: the chance that one of three candidates looks (R11, R20). */
export function detectionBpsDown(colluding: number): bigint {
  return (BPS - BigInt(colluding)) ** 3n / BPS ** 2n
}

export type CollateralTerms = Pick<Terms, "fee" | "maxUnits" | "valueAtRisk" | "auditRate">

/** C of R11: what a range locks, whatever its size. At p = 5 %, r = 1/3, b = 1/2 that is 135 task fees. */
export function collateralUp(terms: CollateralTerms, params: PriceParams): bigint {
  const gain = BigInt(terms.maxUnits) * terms.fee + terms.valueAtRisk
  const found = BigInt(terms.auditRate) * detectionBpsDown(params.colluding) * BigInt(params.burnRate)
  const needed = divUp(gain * BPS ** 3n, found)
  if (needed < params.minCollateral) return params.minCollateral
  return needed
}

/** C_v of R22: what a false verdict costs the seat that gave it. A commit reverts where a seat is smaller. */
export function verdictCollateralUp(terms: AuditTerms, params: PriceParams): bigint {
  const found = BigInt(params.reauditRate) * detectionBpsDown(params.colluding) * BigInt(params.burnRate)
  return divUp(auditFee(terms) * BPS ** 3n, found)
}
