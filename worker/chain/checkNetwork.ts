import { isAddressEqual } from "viem"
import { textOf, workerError } from "../errors.ts"
import type { Chain } from "./chain.ts"

/**
 * Is this the chain, and are these the contracts, that the deployment file speaks of? A local chain forgets when it
 * stops, and its successor has the same chain id and the same addresses: only the genesis tells them apart.
 */
export async function checkNetwork(chain: Chain): Promise<void> {
  const { client, deployment, market, registry } = chain
  const { chainId, contracts, genesisHash } = deployment
  const found = await client.getChainId().catch((cause: unknown) => {
    throw workerError("E_CHAIN_DOWN", `the chain does not answer: ${textOf(cause)}`, {
      remedy: "start it, or set the right --rpc",
      facts: { transient: true },
      cause,
    })
  })
  if (found !== chainId) {
    throw workerError("E_WRONG_CHAIN", `the node is of chain ${found}, the deployment of chain ${chainId}`, {
      remedy: "set --network or --rpc to the chain that the contracts are on",
      facts: { found, expected: chainId },
    })
  }
  const genesis = await client.getBlock({ blockNumber: 0n })
  if (genesis.hash !== genesisHash) {
    throw workerError("E_WRONG_CHAIN", "the node's chain has another genesis than the deployment", {
      remedy: "this chain started anew: deploy again, or run `up` again",
    })
  }
  for (const [name, address] of Object.entries(contracts)) {
    const code = await client.getCode({ address })
    if (!code || code === "0x") {
      throw workerError("E_WRONG_CHAIN", `there is no contract at ${address}, which should be the ${name}`, {
        remedy: "deploy again, or fetch the deployment file of this network",
      })
    }
  }
  const [params, registryToken, registryMarket] = await Promise.all([
    market.read.params(),
    registry.read.token(),
    registry.read.market(),
  ])
  const named = [
    ["registry", params.registry, contracts.registry],
    ["challenges", params.challenges, contracts.challenges],
    ["jury", params.jury, contracts.jury],
    ["game", params.game, contracts.game],
    ["beacon", params.beacon, contracts.beacon],
    ["token", registryToken, contracts.token],
    ["market", registryMarket, contracts.market],
  ] as const
  for (const [name, onChain, stated] of named) {
    if (!isAddressEqual(onChain, stated)) {
      throw workerError("E_WRONG_CHAIN", `the contracts name ${onChain} as ${name}, the deployment ${stated}`)
    }
  }
}
