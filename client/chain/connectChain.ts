import { createPublicClient, type Hex, http, isAddressEqual, type PublicClient } from "viem"
import { type Deployment, marketAbi, registryAbi } from "#protocol"
import { clientError } from "../errors.ts"

/**
 * A reader of the chain that a deployment names. Checked, not believed: a local chain forgets when it stops, and
 * another one may answer at its port.
 * @throws E_CHAIN_DOWN, E_WRONG_CHAIN
 */
export async function connectChain(rpcUrl: string, deployment: Omit<Deployment, "rpcUrl">): Promise<PublicClient> {
  const chain = createPublicClient({ transport: http(rpcUrl, { retryCount: 2 }), pollingInterval: 500 })
  const { market, registry } = deployment.contracts
  let chainId: number
  try {
    chainId = await chain.getChainId()
  } catch (cause) {
    throw clientError("E_CHAIN_DOWN", `no chain answers at ${rpcUrl}: is it running, and is the URL right?`, { cause })
  }
  if (chainId !== deployment.chainId) {
    const message = `${rpcUrl} is chain ${chainId}, and '${deployment.network}' is chain ${deployment.chainId}`
    throw clientError("E_WRONG_CHAIN", message)
  }
  const [genesis, code] = await Promise.all([chain.getBlock({ blockNumber: 0n }), chain.getCode({ address: market })])
  if (genesis.hash !== deployment.genesisHash || code === undefined) {
    const message = `the chain at ${rpcUrl} is not the one that Assay was deployed to: it started anew, or the URL is another's`
    throw clientError("E_WRONG_CHAIN", message)
  }
  const named = await chain.readContract({ address: registry, abi: registryAbi, functionName: "market" })
  const { registry: back } = await chain.readContract({ address: market, abi: marketAbi, functionName: "params" })
  if (!isAddressEqual(named, market) || !isAddressEqual(back, registry)) {
    throw clientError("E_WRONG_CHAIN", `Market ${market} and Registry ${registry} do not name one another`)
  }
  return chain
}

/** Seconds of the latest block: the only clock that contracts and signed messages know. */
export async function chainTimeOf(chain: PublicClient): Promise<bigint> {
  return (await chain.getBlock()).timestamp
}

/** What tells one local chain from the next. */
export async function genesisOf(rpcUrl: string): Promise<Hex> {
  const chain = createPublicClient({ transport: http(rpcUrl, { retryCount: 2 }) })
  try {
    const { hash } = await chain.getBlock({ blockNumber: 0n })
    return hash as Hex
  } catch (cause) {
    throw clientError("E_CHAIN_DOWN", `no chain answers at ${rpcUrl}: is it running, and is the URL right?`, { cause })
  }
}
