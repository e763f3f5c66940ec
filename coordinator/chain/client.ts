import {
  type Address,
  createPublicClient,
  defineChain,
  type Hash,
  type Hex,
  http,
  type LocalAccount,
  type PublicClient,
  type TypedDataDomain,
} from "viem"
import { CodedError, type Deployment, marketDomain } from "#protocol"

export type ChainErrorDetail =
  | { code: "E_CHAIN_UNREACHABLE"; rpcUrl: string; message: string }
  | { code: "E_CHAIN_WRONG_ID"; expected: number; got: number; message: string }
  | { code: "E_CHAIN_WRONG_GENESIS"; expected: Hash; got: Hash; message: string }
  | { code: "E_CHAIN_NO_CONTRACT"; contract: string; address: Address; message: string }
export class ChainError extends CodedError<ChainErrorDetail> {}

/** The chain of one deployment, proved at start to be that very chain. */
export type Chain = {
  readonly client: PublicClient
  readonly deployment: Deployment
  /** The Market's EIP-712 domain. */
  readonly domain: TypedDataDomain
  /** Who sends: the coordinator's account. */
  readonly account: LocalAccount
  /** Chain time in seconds: the newest block's, carried on by the local clock (R31). */
  now(): number
  /** Tells the newest block; the follower calls it. */
  observe(block: { timestamp: bigint | number }): void
  /** Throws unless the node still serves this deployment: a local chain that was restarted forgets everything. */
  check(): Promise<void>
  /** The cheap part of it: the first block alone tells one local chain from the next. */
  checkGenesis(): Promise<void>
}

export type OpenChainParams = { deployment: Deployment; account: LocalAccount; rpcUrl?: string }

export async function openChain({ deployment, account, rpcUrl = deployment.rpcUrl }: OpenChainParams): Promise<Chain> {
  const chain = defineChain({
    id: deployment.chainId,
    name: deployment.network,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  })
  // No caching: a follower that sees an old head would miss its own transactions.
  const client = createPublicClient({
    chain,
    transport: http(rpcUrl, { retryCount: 2, timeout: 15_000 }),
    cacheTime: 0,
  })
  const { contracts } = deployment
  let offset = 0
  let newest = 0

  const observe: Chain["observe"] = ({ timestamp }) => {
    newest = Number(timestamp)
    offset = newest - Date.now() / 1000
  }

  const compareGenesis = (got: Hash): void => {
    if (got.toLowerCase() === deployment.genesisHash.toLowerCase()) return
    const message = "the chain was started anew since this deployment (another genesis block): deploy again"
    throw new ChainError({ code: "E_CHAIN_WRONG_GENESIS", expected: deployment.genesisHash, got, message })
  }

  const check = async (): Promise<void> => {
    const [id, genesis, head] = await Promise.all([
      client.getChainId(),
      client.getBlock({ blockNumber: 0n }),
      client.getBlock({ blockTag: "latest" }),
    ]).catch((cause) => {
      const message = `the chain at ${rpcUrl} does not answer: start it, or check --rpc`
      throw new ChainError({ code: "E_CHAIN_UNREACHABLE", rpcUrl, message }, { cause })
    })
    if (id !== deployment.chainId) {
      const message = `the node serves chain ${id}, the deployment is on chain ${deployment.chainId}`
      throw new ChainError({ code: "E_CHAIN_WRONG_ID", expected: deployment.chainId, got: id, message })
    }
    compareGenesis(genesis.hash as Hash)
    for (const contract of ["registry", "market", "challenges", "jury", "game"] as const) {
      const address = contracts[contract]
      const code = await client.getCode({ address })
      if (code === undefined || code === "0x") {
        const message = `there is no ${contract} at ${address}: deploy first`
        throw new ChainError({ code: "E_CHAIN_NO_CONTRACT", contract, address, message })
      }
    }
    observe(head)
  }

  await check()
  return {
    client: client as PublicClient,
    deployment,
    domain: marketDomain({ chainId: deployment.chainId, market: contracts.market }),
    account,
    now: () => Math.max(newest, Math.floor(Date.now() / 1000 + offset)),
    observe,
    check,
    checkGenesis: async () => compareGenesis((await client.getBlock({ blockNumber: 0n })).hash),
  }
}

/** Lower case is the form of every address in the database and in messages. */
export function lower<T extends Hex | Address>(value: T): T {
  return value.toLowerCase() as T
}
