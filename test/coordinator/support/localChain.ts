import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import hre from "hardhat"
import {
  type Abi,
  type Address,
  createPublicClient,
  createTestClient,
  createWalletClient,
  getContractAddress,
  type Hex,
  http,
  type LocalAccount,
  parseEther,
} from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { hardhat } from "viem/chains"
import type { Deployment } from "#protocol"

const ARTIFACTS = fileURLToPath(new URL("../../../artifacts/contracts", import.meta.url))

type Artifact = { abi: Abi; bytecode: Hex }

function artifactOf(path: string, name: string): Artifact {
  return JSON.parse(readFileSync(`${ARTIFACTS}/${path}/${name}.json`, "utf8"))
}

/** Why these tests cannot run, or undefined. */
export function missingArtifacts(): string | undefined {
  return existsSync(`${ARTIFACTS}/Market.sol/Market.json`) ? undefined : "contracts are not compiled: hardhat build"
}

export const PARAMS: Deployment["params"] = {
  minCollateral: 10n ** 15n,
  colluding: 3_333,
  burnRate: 5_000,
  reauditRate: 1_000,
  attestLimit: 60,
  window: 8,
  clock: 20,
  maxLease: 60,
  claimPeriod: 60,
  minSeats: 4,
  minOwners: 3,
  seat: 200n * 10n ** 18n,
  standingBond: 100n * 10n ** 18n,
  unbonding: 600,
  notice: 130,
  livenessSlash: 10n ** 18n,
}

export type LocalChain = {
  deployment: Deployment
  rpcUrl: string
  /** A fresh account with native coin and tokens that the Registry may take. */
  fund(): Promise<LocalAccount & { sign: NonNullable<LocalAccount["sign"]> }>
  /** Sends a call and waits for it; throws if it reverts. */
  send(
    from: LocalAccount,
    call: { to: Address; abi: Abi; name: string; args?: readonly unknown[]; value?: bigint },
  ): Promise<void>
  mine(blocks?: number): Promise<void>
  /** Moves chain time; the next block has it. */
  warp(seconds: number): Promise<void>
  now(): Promise<number>
  snapshot(): Promise<Hex>
  revert(id: Hex): Promise<void>
  client: ReturnType<typeof createPublicClient>
  close(): Promise<void>
}

/** A node of its own with a fresh deployment of the real contracts. */
export async function openLocalChain(changes: Partial<Deployment["params"]> = {}): Promise<LocalChain> {
  const server = await hre.network.createServer({ override: { loggingEnabled: false } } as never, "127.0.0.1", 0)
  const { port } = await server.listen()
  const rpcUrl = `http://127.0.0.1:${port}`
  const transport = http(rpcUrl)
  const client = createPublicClient({ chain: hardhat, transport, cacheTime: 0, pollingInterval: 50 })
  const test = createTestClient({ chain: hardhat, mode: "hardhat", transport })
  const deployer = privateKeyToAccount(generatePrivateKey())
  await test.setBalance({ address: deployer.address, value: parseEther("1000") })
  const wallet = createWalletClient({ account: deployer, chain: hardhat, transport })

  async function deploy(path: string, name: string, args: readonly unknown[]): Promise<Address> {
    const { abi, bytecode } = artifactOf(path, name)
    const hash = await wallet.deployContract({ abi, bytecode, args: [...args] })
    const receipt = await client.waitForTransactionReceipt({ hash })
    if (receipt.status !== "success" || !receipt.contractAddress) throw new Error(`${name} was not deployed`)
    return receipt.contractAddress
  }

  const token = await deploy("AssayToken.sol", "AssayToken", [10n ** 24n, 0n])
  const beacon = await deploy("beacons/BlockBeacon.sol", "BlockBeacon", [])
  // They name each other, so their addresses are known before they are there.
  const referee = await deploy("referee/Referee.sol", "Referee", [])
  // GameJudge comes first.
  const nonce = 1 + (await client.getTransactionCount({ address: deployer.address }))
  const at = (i: number): Address => getContractAddress({ from: deployer.address, nonce: BigInt(nonce + i) })
  const [registry, challenges, jury, game, market] = [at(0), at(1), at(2), at(3), at(4)]
  const p = { ...PARAMS, ...changes }
  const gameConfig = {
    registry,
    market,
    challenges,
    jury,
    referee,
    clock: p.clock,
    window: p.window,
    movesGas: 900_000,
  }
  const judge = await deploy("GameJudge.sol", "GameJudge", [gameConfig])
  await deploy("Registry.sol", "Registry", [
    {
      token,
      market,
      challenges,
      jury,
      game,
      seat: p.seat,
      standingBond: p.standingBond,
      unbonding: p.unbonding,
      notice: p.notice,
      livenessSlash: p.livenessSlash,
      burnRate: p.burnRate,
    },
  ])
  await deploy("Challenges.sol", "Challenges", [registry, market, jury, game, [150_000, 150_000, 150_000, 200_000]])
  await deploy("Jury.sol", "Jury", [registry, market, challenges, game])
  await deploy("DisputeGame.sol", "DisputeGame", [gameConfig, judge])
  await deploy("Market.sol", "Market", [{ ...p, beacon, registry, challenges, jury, game }])
  const models = await deploy("ModelRegistry.sol", "ModelRegistry", [market, token, p.unbonding])
  const genesis = await client.getBlock({ blockNumber: 0n })
  const deployment: Deployment = {
    network: "local",
    chainId: 31_337,
    rpcUrl,
    contracts: {
      token: token.toLowerCase() as Address,
      registry: registry.toLowerCase() as Address,
      market: market.toLowerCase() as Address,
      challenges: challenges.toLowerCase() as Address,
      jury: jury.toLowerCase() as Address,
      game: game.toLowerCase() as Address,
      referee: referee.toLowerCase() as Address,
      beacon: beacon.toLowerCase() as Address,
      models: models.toLowerCase() as Address,
    },
    deployedBlock: Number(await client.getBlockNumber()),
    genesisHash: genesis.hash,
    params: p,
  }

  const send: LocalChain["send"] = async (account, { to, abi, name, args = [], value }) => {
    const from = createWalletClient({ account, chain: hardhat, transport })
    const { request } = await client.simulateContract({
      account,
      address: to,
      abi,
      functionName: name,
      args,
      value,
    } as never)
    const hash = await from.writeContract(request as never)
    const receipt = await client.waitForTransactionReceipt({ hash })
    if (receipt.status !== "success") throw new Error(`${name} reverted`)
  }
  const tokenAbi = artifactOf("AssayToken.sol", "AssayToken").abi

  return {
    deployment,
    rpcUrl,
    client: client as LocalChain["client"],
    send,
    async fund() {
      const account = privateKeyToAccount(generatePrivateKey())
      await test.setBalance({ address: account.address, value: parseEther("100") })
      await send(account, { to: token, abi: tokenAbi, name: "faucet" })
      await send(account, { to: token, abi: tokenAbi, name: "approve", args: [registry, 2n ** 256n - 1n] })
      return account
    },
    mine: (blocks = 1) => test.mine({ blocks }),
    async warp(seconds) {
      await test.increaseTime({ seconds })
      await test.mine({ blocks: 1 })
    },
    now: async () => Number((await client.getBlock({ blockTag: "latest" })).timestamp),
    snapshot: () => test.snapshot(),
    revert: (id) => test.revert({ id }),
    close: () => server.close(),
  }
}
