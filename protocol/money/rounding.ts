/** Ratios are basis points throughout. */
export const BPS = 10_000n

/** Named for its rounding, as the contract's twin is: what somebody must lock or reserve is never a unit short. */
export function divUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor
}
