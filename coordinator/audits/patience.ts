const LONGEST_S = 300

/** Seconds that one candidate is waited for before the others get its samples too: three tries fit into the limit. */
export function patienceOf(attestLimit: number): number {
  return Math.max(1, Math.min(LONGEST_S, Math.floor(attestLimit / 4)))
}

/** Seconds before the limit at which the attestation goes out with what there is. */
export function attestMargin(attestLimit: number): number {
  return Math.max(2, Math.min(600, Math.floor(attestLimit / 6)))
}
