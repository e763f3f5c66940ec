import type { Address } from "viem"
import type { Range, VerifierTotal } from "../batches/packed.ts"
import type { Terms } from "../jobs/terms.ts"
import { auditPay, auditReserve } from "./audit.ts"
import { MoneyError } from "./errors.ts"

export type SettleParams = {
  terms: Pick<Terms, "fee" | "coordinatorFee" | "auditRatio" | "auditBase" | "maxUnits">
  ranges: readonly Range[]
  verifiers: readonly VerifierTotal[]
  samples: number
  /** One bit a range: voided ranges and ranges without a verdict are not paid. */
  unpaid: bigint
  /** One bit a verifier: struck by a proof (R20), so not paid. */
  struck?: bigint
  /** Verifiers whose pair slot bars them (R13): their pay stays in the audit budget. */
  barred?: ReadonlySet<string>
  /** A worker that committed for itself: the coordinator's fee stays in the escrow (R18). */
  selfCommitted: boolean
}

export type Pay = { readonly account: Address; readonly amount: bigint }

export type Settlement = {
  readonly workers: readonly Pay[]
  readonly verifiers: readonly Pay[]
  readonly coordinator: bigint
  /** Taken from the job's fees, and of the audit reserve what goes back to the budget. */
  readonly feesSpent: bigint
  readonly auditSpent: bigint
  readonly auditReturned: bigint
}

/** What `finalize` credits (R23, R30): pay by totals, exactly; every unit comes from the escrow or the reserve. */
export function settle(params: SettleParams): Settlement {
  const { terms, ranges, samples, unpaid, struck = 0n, barred, selfCommitted } = params
  const paid = ranges.filter((_, i) => ((unpaid >> BigInt(i)) & 1n) === 0n)
  const workers = paid.map(({ worker, units }) => ({ account: worker, amount: BigInt(units) * terms.fee }))
  const units = paid.reduce((sum, range) => sum + BigInt(range.units), 0n)
  const coordinator = selfCommitted ? 0n : units * terms.coordinatorFee
  const verifiers = params.verifiers
    .filter(({ verifier }, i) => ((struck >> BigInt(i)) & 1n) === 0n && !barred?.has(verifier.toLowerCase()))
    .map((total) => ({ account: total.verifier, amount: auditPay(terms, total.units) }))
  const auditSpent = sum(verifiers)
  const reserve = auditReserve(terms, samples)
  if (auditSpent > reserve) {
    const message = `verifiers would be paid ${auditSpent} of a reserve of ${reserve}`
    throw new MoneyError({ code: "E_AUDIT_OVER_RESERVE", spent: auditSpent, reserve, message })
  }
  const feesSpent = sum(workers) + coordinator
  return { workers, verifiers, coordinator, feesSpent, auditSpent, auditReturned: reserve - auditSpent }
}

function sum(pays: readonly Pay[]): bigint {
  return pays.reduce((total, { amount }) => total + amount, 0n)
}
