import type { Address } from "viem"

export type MismatchVerdict = { sample: number; range: number; verifier: Address; receivedAtMs: number }
export type RangeDispute = { sample: number; range: number; verifier: Address; outcome: string | null }

/** Disputes of one range at a time: the first, and one more of another verifier should the first be a lie. */
const AT_ONCE = 2

/**
 * Which mismatches to bring before the jury now. One would do where everybody is honest; a second accuser makes sure
 * that a false one cannot take the place of a true one (a lost dispute protects nothing); a jury for each of a dozen
 * wrong leaves of one worker would only cost. Once a range is refuted there is nothing left to judge.
 */
export function chooseMismatches(
  mismatches: readonly MismatchVerdict[],
  disputes: readonly RangeDispute[],
): MismatchVerdict[] {
  const chosen: MismatchVerdict[] = []
  const sorted = [...mismatches].sort((a, b) => a.receivedAtMs - b.receivedAtMs || a.sample - b.sample)
  for (const range of new Set(sorted.map((one) => one.range))) {
    const known = disputes.filter((one) => one.range === range)
    if (known.some(({ outcome }) => outcome === "refuted" || outcome === "noMajority")) continue
    const accusers = new Set(known.map(({ verifier }) => verifier))
    let open = known.filter(({ outcome }) => outcome === null).length
    for (const one of sorted) {
      if (one.range !== range || accusers.has(one.verifier) || open >= AT_ONCE) continue
      accusers.add(one.verifier)
      chosen.push(one)
      open++
    }
  }
  return chosen
}
