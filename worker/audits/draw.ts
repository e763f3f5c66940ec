import { type Address, type Hex, isAddressEqual, zeroHash } from "viem"
import {
  type Attestation,
  type Batch,
  type BatchLayout,
  batchIdOf,
  batchLayout,
  candidateOwners,
  drawSeed,
  PANEL_EXTRA,
  PANEL_SIZE,
  panelSeat,
  panelSeats,
  parseRanges,
  placeOf,
  type Range,
  samplePositions,
  type Terms,
} from "#protocol"
import type { Chain } from "../chain/chain.ts"
import { workerError } from "../errors.ts"

export const NO_ATTESTATION: Attestation = { seed: zeroHash, verdictRoot: zeroHash, verifiers: [], silentRanges: 0n }

/** States of a batch in the contract (R24a). */
export const STATE = { committed: 1, drawn: 2, attested: 3, final: 4 } as const

/** The draw of a batch, derived from the chain alone. */
export type Draw = {
  batchId: bigint
  seed: Hex
  layout: BatchLayout
  /** Drawn positions by sample. */
  positions: number[]
  /** The range that a sample lies in. */
  rangeOf(sample: number): Range
  candidatesOf(sample: number): Promise<Address[]>
}

export function layoutOf(batch: Batch, terms: Terms): BatchLayout {
  const mask = parseRanges(batch.ranges).reduce((all, range) => all | range.mask, 0n)
  return batchLayout({ plan: terms, firstShard: batch.firstShard, mask })
}

/** The seed that the chain gives a batch, or undefined while it has none. */
export async function readSeed({ beacon }: Chain, batch: Batch): Promise<Hex | undefined> {
  const seed = await beacon.read.seed([batch.commitBlock])
  return seed === zeroHash ? undefined : drawSeed(seed, batchIdOf(batch.jobId, batch.number))
}

/**
 * Checks a batch that a peer speaks of against its slot, and its seed against the beacon or the slot (R19). Who believed
 * a made-up seed would audit for nothing, and could be led to sign for a batch that is not there.
 */
export async function checkDraw(
  chain: Chain,
  { batch, terms, seed }: { batch: Batch; terms: Terms; seed: Hex },
): Promise<{ state: number }> {
  const attestation = { ...NO_ATTESTATION, seed }
  const [, state] = await chain.market.read.checkBatch([terms, batch, attestation])
  // A drawn batch's slot covers the seed, so checkBatch has compared it; a committed one's does not.
  if (state === STATE.committed && (await readSeed(chain, batch)) !== seed) {
    throw workerError("E_AUDIT_SEED", "the seed is not the one that the beacon gives (R19)")
  }
  if (state !== STATE.committed && state !== STATE.drawn) {
    throw workerError("E_VERDICT_LATE", "the batch is past its audit")
  }
  return { state }
}

/** Panel and candidates (R20). Sixteen seats are read once a batch; more only where one party owns them all. */
export async function readDraw(
  { registry }: Chain,
  { batch, terms, seed }: { batch: Batch; terms: Terms; seed: Hex },
): Promise<Draw> {
  const { capability } = terms
  const { commitBlock } = batch
  const layout = layoutOf(batch, terms)
  const ranges = parseRanges(batch.ranges)
  const seats = Number(await registry.read.seatCountAt([capability, commitBlock]))
  const ownerAt = (seat: number) => registry.read.seatOwnerAt([capability, BigInt(seat), commitBlock])
  const panel = await Promise.all(panelSeats(seed, seats).map(ownerAt))
  const positions = samplePositions({ seed, auditRate: terms.auditRate, size: layout.size })

  function rangeOf(sample: number): Range {
    const { shard } = placeOf(layout, positions[sample]!)
    const bit = 1n << BigInt(shard - batch.firstShard)
    return ranges.find(({ mask }) => (mask & bit) !== 0n)!
  }

  return {
    batchId: batchIdOf(batch.jobId, batch.number),
    seed,
    layout,
    positions,
    rangeOf,
    async candidatesOf(sample) {
      const executor = rangeOf(sample).worker
      const owners = [...panel]
      if (owners.every((owner) => isAddressEqual(owner, executor))) {
        for (let place = PANEL_SIZE; place < PANEL_SIZE + PANEL_EXTRA; place++) {
          owners.push(await ownerAt(panelSeat(seed, place, seats)))
          if (!isAddressEqual(owners.at(-1)!, executor)) break
        }
      }
      return candidateOwners({ seed, sample, executor, owners })
    },
  }
}
