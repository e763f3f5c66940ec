import { type Address, type Hex, zeroHash } from "viem"
import {
  beaconAbi,
  candidateOwners,
  drawSeed,
  PANEL_EXTRA,
  PANEL_SIZE,
  panelSeat,
  placeOf,
  registryAbi,
  samplePositions,
  type Terms,
  unpackRange,
} from "#protocol"
import { type BatchRow, layoutOf, maskOfRanges, rangeOfShard } from "../batches/batchRow.ts"
import { type Chain, lower } from "../chain/client.ts"

export type DrawnSample = {
  sample: number
  position: number
  taskIndex: number
  shard: number
  range: number
  worker: Address
  candidates: Address[]
}

export type DrawParams = {
  seed: Hex
  batch: Pick<BatchRow, "ranges" | "firstShard">
  terms: Terms
  /** Owners of panel places 0..15, and of as many further ones as were asked for. */
  owners: readonly Address[]
}

/** Samples with their candidates, exactly as the contract derives them (R19, R20). */
export function drawSamples({ seed, batch, terms, owners }: DrawParams): DrawnSample[] {
  const layout = layoutOf(terms, { firstShard: batch.firstShard, mask: maskOfRanges(batch.ranges) })
  const positions = samplePositions({ seed, auditRate: terms.auditRate, size: layout.size })
  return positions.map((position, sample) => {
    const { shard, taskIndex } = placeOf(layout, position)
    const range = rangeOfShard(batch, shard)
    const worker = lower(unpackRange(BigInt(batch.ranges[range]!)).worker)
    const candidates = candidateOwners({ seed, sample, executor: worker, owners }).map(lower)
    return { sample, position, taskIndex, shard, range, worker, candidates }
  })
}

export type PanelParams = { capability: Hex; commitBlock: number; seed: Hex; executors: readonly Address[] }

/** Who owned the panel's seats when the batch was committed; more places where one executor owns all 16. */
export async function readPanel(chain: Chain, params: PanelParams): Promise<Address[]> {
  const { capability, commitBlock, seed, executors } = params
  const registry = { address: chain.deployment.contracts.registry, abi: registryAbi } as const
  const block = BigInt(commitBlock)
  const count = Number(
    await chain.client.readContract({ ...registry, functionName: "seatCountAt", args: [capability, block] }),
  )
  const known = new Map<number, Promise<Address>>()
  const ownerOf = (place: number): Promise<Address> => {
    const seat = panelSeat(seed, place, count)
    const asked =
      known.get(seat) ??
      chain.client.readContract({
        ...registry,
        functionName: "seatOwnerAt",
        args: [capability, BigInt(seat), block],
      })
    known.set(seat, asked)
    return asked
  }
  const owners = await Promise.all(Array.from({ length: PANEL_SIZE }, (_, place) => ownerOf(place)))
  for (const executor of executors.map(lower)) {
    for (let place = PANEL_SIZE; place < PANEL_SIZE + PANEL_EXTRA; place++) {
      if (owners.some((owner) => lower(owner) !== executor)) break
      owners.push(await ownerOf(place))
    }
  }
  return owners
}

/** The batch's seed: as a transaction fixed it, or as the beacon has it; undefined until it exists (or once lost). */
export async function readSeed(
  chain: Chain,
  row: Pick<BatchRow, "seed" | "batchId" | "commitBlock">,
): Promise<Hex | undefined> {
  if (row.seed) return row.seed
  const beaconSeed = await readBeacon(chain, row.commitBlock)
  return beaconSeed && drawSeed(beaconSeed, row.batchId)
}

export async function readBeacon(chain: Chain, block: number): Promise<Hex | undefined> {
  const { beacon } = chain.deployment.contracts
  const seed = await chain.client.readContract({
    address: beacon,
    abi: beaconAbi,
    functionName: "seed",
    args: [BigInt(block)],
  })
  return seed === zeroHash ? undefined : seed
}
