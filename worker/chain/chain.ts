import { createPublicClient, getContract, http, type PublicClient, type Transport } from "viem"
import {
  assayTokenAbi,
  beaconAbi,
  challengesAbi,
  type Deployment,
  disputeGameAbi,
  juryAbi,
  marketAbi,
  registryAbi,
} from "#protocol"

/** The worker's own view of the chain: it believes nobody about money or draws. */
export type Chain = ReturnType<typeof openChain>

export type OpenChainParams = { rpcUrl: string; deployment: Deployment }

export function openChain({ rpcUrl, deployment }: OpenChainParams) {
  const { contracts } = deployment
  // A panel is 16 reads at once: one HTTP request instead of 16.
  const client: PublicClient<Transport> = createPublicClient({
    transport: http(rpcUrl, { batch: { wait: 0 }, retryCount: 2, timeout: 15_000 }),
    pollingInterval: 500,
    cacheTime: 0,
  })
  return {
    client,
    deployment,
    isLocal: deployment.chainId === 31_337,
    token: getContract({ address: contracts.token, abi: assayTokenAbi, client }),
    registry: getContract({ address: contracts.registry, abi: registryAbi, client }),
    market: getContract({ address: contracts.market, abi: marketAbi, client }),
    challenges: getContract({ address: contracts.challenges, abi: challengesAbi, client }),
    jury: getContract({ address: contracts.jury, abi: juryAbi, client }),
    game: getContract({ address: contracts.game, abi: disputeGameAbi, client }),
    beacon: getContract({ address: contracts.beacon, abi: beaconAbi, client }),
  }
}
