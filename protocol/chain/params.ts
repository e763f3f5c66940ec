import { z } from "zod"
import { Uint96Schema } from "../messages/fields.ts"

/** Seconds, or a count. */
const NumberSchema = z.int().min(0)
const BpsSchema = z.int().min(0).max(10_000)

/** The immutables of Market and Registry; times in seconds, ratios in basis points, money in the smallest unit. */
export const ParamsSchema = z.object({
  minCollateral: Uint96Schema,
  /** r of R11. */
  colluding: BpsSchema,
  /** b of R11 and R12. */
  burnRate: BpsSchema,
  /** p_v of R22. */
  reauditRate: BpsSchema,
  attestLimit: NumberSchema,
  window: NumberSchema,
  clock: NumberSchema,
  maxLease: NumberSchema,
  claimPeriod: NumberSchema,
  minSeats: NumberSchema,
  minOwners: NumberSchema,
  /** Tokens of one seat. */
  seat: Uint96Schema,
  standingBond: Uint96Schema,
  unbonding: NumberSchema,
  notice: NumberSchema,
  livenessSlash: Uint96Schema,
})
export type Params = z.output<typeof ParamsSchema>
