import { type Address, type Hex, isAddressEqual } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"

export const PANEL_SIZE = 16
export const CANDIDATES = 3
/** A sample whose candidates are all silent is called to them and five more (R20). */
export const CALLED = 8
/** How far past the panel the search for another owner goes. */
export const PANEL_EXTRA = 256

/** The seat number of panel place j: places 16 and up exist only for a panel that is wholly the executor's (R20). */
export function panelSeat(seed: Hex, place: number, seatCount: number): number {
  return seatOf(hashWords(TAGS.panel, seed, place), seatCount)
}

export function panelSeats(seed: Hex, seatCount: number, places: number = PANEL_SIZE): number[] {
  return Array.from({ length: places }, (_, j) => panelSeat(seed, j, seatCount))
}

export type CandidatesParams = {
  seed: Hex
  sample: number
  /** The worker account of the range that the sample lies in. */
  executor: Address
  /** Owners by panel place at the commit block: 16, or more where the first 16 are all the executor's. */
  owners: readonly Address[]
  /** How many are drawn: the candidates, or all that are called. The first ones are the same. */
  count?: number
}

/**
 * Panel places of a sample's candidates, in order, drawn without replacement among the places of other owners (R20).
 * Empty only where every given owner is the executor: the caller then looks up more places (up to 16 + 256).
 */
export function candidatePlaces({ seed, sample, executor, owners, count = CANDIDATES }: CandidatesParams): number[] {
  const pool: number[] = []
  for (let j = 0; j < PANEL_SIZE; j++) if (!isAddressEqual(owners[j]!, executor)) pool.push(j)
  if (pool.length === 0) {
    const place = owners.findIndex((owner, j) => j >= PANEL_SIZE && !isAddressEqual(owner, executor))
    return place < 0 ? [] : [place]
  }
  const chosen: number[] = []
  for (let c = 0; c < count && pool.length > 0; c++) {
    const x = seatOf(hashWords(TAGS.candidate, seed, sample, c), pool.length)
    chosen.push(pool[x]!)
    pool[x] = pool.at(-1)!
    pool.pop()
  }
  return chosen
}

/** The candidates' accounts; one owner may stand there more than once. */
export function candidateOwners(params: CandidatesParams): Address[] {
  return candidatePlaces(params).map((place) => params.owners[place]!)
}

export function seatOf(hash: Hex, count: number): number {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`a draw among ${count}`)
  return Number(BigInt(hash) % BigInt(count))
}
