import { BPS, divUp } from "./rounding.ts"

/** R12: at least b is burned; the rest pays those who found it. */
export function splitSlash(amount: bigint, burnRate: number): { burned: bigint; rest: bigint } {
  const burned = divUp(amount * BigInt(burnRate), BPS)
  return { burned, rest: amount - burned }
}
