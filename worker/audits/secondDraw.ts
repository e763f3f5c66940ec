import { type Address, type Hex, zeroHash } from "viem"
import { type Batch, isReaudited, reauditors, reauditSeats, type Terms } from "#protocol"
import type { Chain } from "../chain/chain.ts"
import type { Draw } from "./draw.ts"

/** Who is to give verdicts of a batch again, by the chain alone. */
export type SecondDraw = {
  /** Nobody where the round does not draw that sample. `first` gave the verdict that is given again. */
  auditorsOf(sample: number, first: Address): Promise<Address[]>
}

type BatchParams = { batch: Batch; terms: Terms; draw: Draw }

export function secondDraw(chain: Chain, { batch, terms, draw }: BatchParams, seed: Hex): SecondDraw {
  const { registry, deployment } = chain
  const { reauditRate } = deployment.params
  const { capability } = terms
  const ownerAt = (seat: number) => registry.read.seatOwnerAt([capability, BigInt(seat), batch.commitBlock])
  let seatCount: Promise<bigint> | undefined
  return {
    async auditorsOf(sample, first) {
      const about = { seed, batchId: draw.batchId, sample }
      if (!isReaudited({ ...about, reauditRate })) return []
      seatCount ??= registry.read.seatCountAt([capability, batch.commitBlock])
      const owners = await Promise.all(reauditSeats(about, Number(await seatCount)).map(ownerAt))
      return reauditors({ owners, executor: draw.rangeOf(sample).worker, first })
    },
  }
}

/** Undefined while the beacon has none. */
export async function roundSeed(chain: Chain, round: number): Promise<Hex | undefined> {
  const { blockNumber, seed } = await chain.jury.read.roundOf([BigInt(round)])
  if (seed !== zeroHash) return seed
  const found = await chain.beacon.read.seed([blockNumber])
  return found === zeroHash ? undefined : found
}

/** The block and time of a batch's attestation. */
export async function attestedAt(
  { client, market, deployment }: Chain,
  batchId: bigint,
): Promise<{ block: bigint; time: number } | undefined> {
  const fromBlock = BigInt(deployment.deployedBlock)
  const found = { address: market.address, abi: market.abi, eventName: "BatchAttested", args: { batchId } } as const
  const [log] = await client.getContractEvents({ ...found, fromBlock, strict: true })
  if (!log) return undefined
  const { timestamp } = await client.getBlock({ blockNumber: log.blockNumber })
  return { block: log.blockNumber, time: Number(timestamp) }
}

/** The first round that began after a block, whether its seed is there yet or not. */
export async function roundAfter({ client, jury }: Chain, block: bigint): Promise<number | undefined> {
  const started = { address: jury.address, abi: jury.abi, eventName: "RoundStarted" } as const
  const [log] = await client.getContractEvents({ ...started, fromBlock: block + 1n, strict: true })
  return log && Number(log.args.round)
}
