import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import hre from "hardhat"
import { type Address, createPublicClient, getContractAddress, type Hex, http, type PublicClient } from "viem"
import { z } from "zod"
import { type Contracts, type Deployment, LOCAL_CHAIN_ID, ParamsSchema } from "#protocol"
import { localModule, publicModule } from "./modules/assay.ts"
import { type Parameters, parametersOf } from "./parameters.ts"

export type DeployParams = {
  readonly network: string
  readonly rpcUrl: string
  /** Who deploys; on the local chain its first account when none is given. */
  readonly deployerKey?: Hex
  /** A beacon that exists; on chain 31337 one of block hashes is deployed. */
  readonly beacon?: Address
}

/** Ten contracts in ten transactions, and the record that every process starts from. */
export async function deployAssay(params: DeployParams): Promise<Deployment> {
  const { network, rpcUrl, deployerKey, beacon } = params
  const chain = createPublicClient({ transport: http(rpcUrl) })
  const [chainId, genesis] = await Promise.all([chain.getChainId(), chain.getBlock({ blockNumber: 0n })])
  const isLocal = chainId === LOCAL_CHAIN_ID
  const connection = await hre.network.create({
    network: "rpc",
    override: { url: rpcUrl, ...(deployerKey === undefined ? {} : { accounts: [deployerKey] }) },
  })
  try {
    const [deployer] = (await connection.provider.request({ method: "eth_accounts" })) as Address[]
    if (!deployer) throw new Error(`the chain at ${rpcUrl} has no account to deploy from`)
    const contracts = await foretell(chain, deployer, isLocal ? undefined : beacon)
    const parameters = parametersOf(network)
    // A local chain forgets, so its journal says nothing about the next one, and two that start in the same second have
    // the same genesis; a public deployment can be resumed by its journal.
    const deploymentId = isLocal ? `local-${randomUUID()}` : `${network}-${chainId}`
    try {
      await connection.ignition.deploy(isLocal ? localModule : publicModule, {
        parameters: { [isLocal ? "AssayLocal" : "Assay"]: moduleParameters(parameters, contracts) },
        deploymentId,
        defaultSender: deployer,
        displayUi: false,
        ...(isLocal ? { config: { requiredConfirmations: 1, blockPollingInterval: 50 } } : {}),
      })
    } finally {
      const journal = join(hre.config.paths.ignition, "deployments", deploymentId)
      if (isLocal) await rm(journal, { recursive: true, force: true })
    }
    const deployedBlock = await firstBlock(chain, contracts.token)
    return {
      network,
      chainId,
      rpcUrl,
      contracts,
      deployedBlock,
      genesisHash: genesis.hash as Hex,
      params: pickParams(parameters),
    }
  } finally {
    await connection.close()
  }
}

export type DryRun = { readonly parameters: Parameters; readonly gas: bigint; readonly transactions: number }

/** What a deployment would cost, by deploying to a chain of this process's own. Sends nothing anywhere. */
export async function dryRun(network: string): Promise<DryRun> {
  const connection = await hre.network.create({ network: "default", override: { chainId: LOCAL_CHAIN_ID } })
  try {
    const chain = await connection.viem.getPublicClient()
    const [deployer] = (await connection.provider.request({ method: "eth_accounts" })) as [Address]
    const contracts = await foretell(chain as unknown as PublicClient, deployer, undefined)
    const parameters = parametersOf(network)
    await connection.ignition.deploy(localModule, {
      parameters: { AssayLocal: moduleParameters(parameters, contracts) },
      displayUi: false,
    })
    const head = await chain.getBlockNumber({ cacheTime: 0 })
    let gas = 0n
    for (let number = 1n; number <= head; number++) gas += (await chain.getBlock({ blockNumber: number })).gasUsed
    return { parameters, gas, transactions: 10 }
  } finally {
    await connection.close()
  }
}

/** CREATE addresses in the order of the module. */
async function foretell(chain: PublicClient, deployer: Address, beacon: Address | undefined): Promise<Contracts> {
  let nonce = BigInt(await chain.getTransactionCount({ address: deployer, blockTag: "pending" }))
  const next = () => getContractAddress({ from: deployer, nonce: nonce++ })
  const token = next()
  const first = { token, beacon: beacon ?? next(), referee: next() }
  // GameJudge, which nobody calls: the game runs its code.
  next()
  return { ...first, registry: next(), challenges: next(), jury: next(), game: next(), market: next(), models: next() }
}

function moduleParameters(p: Parameters, contracts: Contracts) {
  const { token, beacon, referee, registry, challenges, jury, game, market } = contracts
  const { seat, standingBond, unbonding, notice, livenessSlash, burnRate } = p
  const {
    minCollateral,
    colluding,
    reauditRate,
    attestLimit,
    window,
    clock,
    maxLease,
    claimPeriod,
    minSeats,
    minOwners,
  } = p
  return {
    faucetAmount: p.faucetAmount,
    faucetInterval: BigInt(p.faucetInterval),
    registryConfig: {
      token,
      market,
      challenges,
      jury,
      game,
      seat,
      standingBond,
      unbonding,
      notice,
      livenessSlash,
      burnRate,
    },
    gameConfig: { registry, market, challenges, jury, referee, clock, window, movesGas: p.movesGas },
    marketParams: {
      minCollateral,
      colluding,
      burnRate,
      reauditRate,
      attestLimit,
      window,
      clock,
      maxLease,
      claimPeriod,
      minSeats,
      minOwners,
      beacon,
      registry,
      challenges,
      jury,
      game,
    },
    demandGas: [...p.demandGas],
    // As long as anything of a batch can still be found false.
    modelGrace: unbonding,
    registry,
    challenges,
    jury,
    game,
    market,
  }
}

function pickParams(parameters: Parameters): Deployment["params"] {
  return z.decode(ParamsSchema, z.encode(ParamsSchema, parameters))
}

/** Where followers begin: the block of the first contract. */
async function firstBlock(chain: PublicClient, address: Address): Promise<number> {
  let [low, high] = [0n, await chain.getBlockNumber({ cacheTime: 0 })]
  while (low < high) {
    const middle = (low + high) / 2n
    if ((await chain.getCode({ address, blockNumber: middle })) === undefined) low = middle + 1n
    else high = middle
  }
  return Number(low)
}
