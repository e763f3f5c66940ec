import type { Address } from "viem"

export type Assignable = { sample: number; candidates: readonly Address[] }

/**
 * Whom each sample is kept for at first: of its candidates the one with the fewest so far, those that are heard of
 * before those that are not. All candidates get it once that one has been waited for.
 */
export function assignSamples(samples: readonly Assignable[], online: ReadonlySet<Address>): Map<number, Address> {
  const load = new Map<Address, number>()
  const assigned = new Map<number, Address>()
  for (const { sample, candidates } of samples) {
    const known = candidates.filter((one) => online.has(one))
    const best = lightest(known.length > 0 ? known : candidates, load)
    if (!best) continue
    assigned.set(sample, best)
    load.set(best, (load.get(best) ?? 0) + 1)
  }
  return assigned
}

function lightest(candidates: readonly Address[], load: ReadonlyMap<Address, number>): Address | undefined {
  let best: Address | undefined
  for (const one of candidates) {
    if (best === undefined || (load.get(one) ?? 0) < (load.get(best) ?? 0)) best = one
  }
  return best
}
