import { type Address, type Hex, toHex, zeroAddress } from "viem"
import { CALLED, candidateOwners, keccakHex, panelSeats, sampleCount } from "#protocol"
import type { Figure } from "./figure.ts"

/**
 * How often candidates must be called on chain (R20): batches of which some sample has no candidate that is there, at a
 * share of absent verifiers. Panel and candidates are drawn by the protocol's own code; who is absent is drawn too.
 */
export function calls(): Figure[] {
  return [0, 5, 20].flatMap((percent) => {
    const { called, silent } = simulate(percent)
    // What three candidates of their own for each sample would give; a panel shares its absent seats among all samples.
    const apart = 1 - (1 - (percent / 100) ** 3) ** SAMPLES
    return [
      {
        name: `calls at ${percent} % absent`,
        value: called,
        unit: "of batches",
        against: `no goal; ${apart.toPrecision(3)} if samples were drawn apart`,
        ratio: null,
      },
      {
        name: `  silent after the call`,
        value: silent,
        unit: "of batches",
        against: "no goal; each costs a range's C",
        ratio: null,
      },
    ]
  })
}

const BATCHES = 4_000
/** One machine, one seat: 64 of them, so that a share of 5 % is a number of seats. */
const OWNERS = 64
/** A batch of 4,096 tasks at 1.25 %: some fifty samples. */
const SAMPLES = sampleCount(125, 4_096)

function simulate(percent: number): { called: number; silent: number } {
  const owners = Array.from({ length: OWNERS }, (_, i) => toHex(i + 1, { size: 20 }))
  let called = 0
  let silent = 0
  for (let batch = 0; batch < BATCHES; batch++) {
    const seed = keccakHex(Buffer.from(`batch ${batch} of ${percent}`))
    const absent = absentOnes(owners, percent, seed)
    const panel = panelSeats(seed, OWNERS).map((seat) => owners[seat]!)
    const unanswered = (count: number | undefined, samples: readonly number[]) =>
      samples.filter((sample) => {
        const drawn = candidateOwners({
          seed,
          sample,
          executor: zeroAddress,
          owners: panel,
          ...(count ? { count } : {}),
        })
        return drawn.every((owner) => absent.has(owner))
      })
    const without = unanswered(
      undefined,
      Array.from({ length: SAMPLES }, (_, i) => i),
    )
    if (without.length > 0) called++
    if (unanswered(CALLED, without).length > 0) silent++
  }
  return { called: called / BATCHES, silent: silent / BATCHES }
}

/** Each is absent with the same chance, by a hash of its own: the same batch again gives the same ones. */
function absentOnes(owners: readonly Address[], percent: number, seed: Hex): Set<Address> {
  const limit = (BigInt(percent) << 256n) / 100n
  return new Set(owners.filter((owner) => BigInt(keccakHex(Buffer.from(`${seed} ${owner}`))) < limit))
}
