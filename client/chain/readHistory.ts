import { type Abi, type Address, type Log, type PublicClient, parseEventLogs } from "viem"
import { challengesAbi, type Deployment, disputeGameAbi, juryAbi, marketAbi, registryAbi } from "#protocol"

type EventOf<A extends Abi> = ReturnType<typeof parseEventLogs<A, true>>[number]

/** Every event of the deployment, in the order of the chain. */
export type ChainEvent =
  | EventOf<typeof marketAbi>
  | EventOf<typeof registryAbi>
  | EventOf<typeof juryAbi>
  | EventOf<typeof challengesAbi>
  | EventOf<typeof disputeGameAbi>
export type EventNamed<N extends ChainEvent["eventName"]> = Extract<ChainEvent, { eventName: N }>

/** Public nodes answer for ranges of about this many blocks. */
const BLOCKS_AT_ONCE = 10_000n

export type History = { readonly events: readonly ChainEvent[]; readonly head: bigint }

export async function readHistory(chain: PublicClient, deployment: Deployment): Promise<History> {
  const { market, registry, jury, challenges, game } = deployment.contracts
  const address: Address[] = [market, registry, jury, challenges, game]
  const head = await chain.getBlockNumber({ cacheTime: 0 })
  const logs: Log<bigint, number, false>[] = []
  for (let from = BigInt(deployment.deployedBlock); from <= head; from += BLOCKS_AT_ONCE) {
    const last = from + BLOCKS_AT_ONCE - 1n
    logs.push(...(await chain.getLogs({ address, fromBlock: from, toBlock: last < head ? last : head })))
  }
  const abis: [Address, Abi][] = [
    [market, marketAbi],
    [registry, registryAbi],
    [jury, juryAbi],
    [challenges, challengesAbi],
    [game, disputeGameAbi],
  ]
  const events = abis.flatMap(([contract, abi]) => {
    const own = logs.filter((log) => log.address.toLowerCase() === contract.toLowerCase())
    return parseEventLogs({ abi, logs: own, strict: true }) as unknown as ChainEvent[]
  })
  return { events: events.sort(inChainOrder), head }
}

export function eventsNamed<N extends ChainEvent["eventName"]>({ events }: History, name: N): EventNamed<N>[] {
  return events.filter((event): event is EventNamed<N> => event.eventName === name)
}

export function isBefore(
  a: { blockNumber: bigint; logIndex: number },
  b: { blockNumber: bigint; logIndex: number },
): boolean {
  return inChainOrder(a, b) < 0
}

function inChainOrder(
  a: { blockNumber: bigint; logIndex: number },
  b: { blockNumber: bigint; logIndex: number },
): number {
  return Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex
}
