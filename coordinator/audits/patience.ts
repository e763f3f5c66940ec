const LONGEST_S = 300

/** Seconds that one candidate is waited for before the others get its samples too: three tries fit into the limit. */
export function patienceOf(attestLimit: number): number {
  return Math.max(1, Math.min(LONGEST_S, Math.floor(attestLimit / 4)))
}

/** Seconds before the limit at which the attestation goes out with what there is. */
export function attestMargin(attestLimit: number): number {
  return Math.max(2, Math.min(600, Math.floor(attestLimit / 6)))
}

/**
 * Seconds from the commit between which silent samples are called on chain (R20): late enough that candidates were
 * waited for, early enough that those who are called have their third of the limit before the attestation goes out. A sixth
 * of the limit long: a coordinator that is busy for a moment must not miss it, since silent ranges are at its cost.
 */
export function callTime(attestLimit: number): { from: number; until: number } {
  const third = Math.floor(attestLimit / 3)
  const until = attestLimit - attestMargin(attestLimit) - third
  return { from: Math.max(1, until - Math.floor(attestLimit / 6)), until }
}
