import hre from "hardhat"
import { type Abi, type Address, encodeFunctionData, getContractAddress, type Hex, parseEventLogs } from "viem"
import {
  assayTokenAbi,
  type BatchStruct,
  batchIdOf,
  beaconAbi,
  drawSeed,
  LOCAL_CHAIN_ID,
  marketAbi,
  packRange,
  packVerifier,
  registryAbi,
  sampleCount,
  type Terms,
} from "#protocol"
import { localModule } from "../ignition/modules/assay.ts"
import { parametersOf } from "../ignition/parameters.ts"

export const WORKERS = 16
export const PANEL = 16
const TOKEN = 10n ** 18n
const ZERO: Hex = `0x${"00".repeat(32)}`

export type Call = { readonly to: Address; readonly abi: Abi; readonly functionName: string; readonly args: unknown[] }
export type Statement = { readonly verdictRoot: Hex; readonly verifiers: bigint[]; readonly silentRanges: bigint }
export type Attested = Statement & { readonly seed: Hex }

/** A chain in this process with a deployment, sixteen funded workers and verifiers, and a count of gas. */
export type GasChain = Awaited<ReturnType<typeof createGasChain>>

export async function createGasChain() {
  const connection = await hre.network.create({
    network: "default",
    override: {
      chainId: LOCAL_CHAIN_ID,
      allowBlocksWithSameTimestamp: true,
      accounts: { count: 2 + WORKERS + PANEL },
    },
  })
  const { provider } = connection
  const chain = await connection.viem.getPublicClient()
  const accounts = (await provider.request({ method: "eth_accounts" })) as Address[]
  const [coordinator, requester] = accounts as [Address, Address]
  const ascending = (list: Address[]) => list.sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))
  const workers = ascending(accounts.slice(2, 2 + WORKERS))
  const verifiers = ascending(accounts.slice(2 + WORKERS))
  const contracts = await deploy()
  const { market, registry, token, beacon } = contracts

  async function deploy() {
    let nonce = BigInt(await chain.getTransactionCount({ address: coordinator }))
    const next = () => getContractAddress({ from: coordinator, nonce: nonce++ })
    const at = {
      token: next(),
      beacon: next(),
      referee: next(),
      gameJudge: next(),
      registry: next(),
      challenges: next(),
      jury: next(),
      game: next(),
      market: next(),
    }
    const p = parametersOf("local")
    await connection.ignition.deploy(localModule, {
      parameters: {
        AssayLocal: {
          ...at,
          // One call of the faucet pays for everything here.
          faucetAmount: 1_000_000_000n * TOKEN,
          faucetInterval: 60n,
          registryConfig: { ...p, ...at },
          marketParams: { ...p, ...at },
          demandGas: [...p.demandGas],
          modelGrace: p.unbonding,
          gameConfig: { ...p, ...at },
        } as never,
      },
      defaultSender: coordinator,
      displayUi: false,
    })
    return at
  }

  const on = {
    market: (functionName: string, ...args: unknown[]): Call => ({ to: market, abi: marketAbi, functionName, args }),
    registry: (functionName: string, ...args: unknown[]): Call => ({
      to: registry,
      abi: registryAbi,
      functionName,
      args,
    }),
    token: (functionName: string, ...args: unknown[]): Call => ({ to: token, abi: assayTokenAbi, functionName, args }),
  }

  /** One transaction; its gas, all of it (base, calldata and execution, less refunds). */
  async function send(from: Address, { to, abi, functionName, args }: Call) {
    const data = encodeFunctionData({ abi, functionName, args })
    const hash = (await provider.request({
      method: "eth_sendTransaction",
      params: [{ from, to, data, gas: "0xf42400" }],
    })) as Hex
    const receipt = await chain.getTransactionReceipt({ hash })
    if (receipt.status !== "success") throw new Error(`${functionName} reverted`)
    return { gas: Number(receipt.gasUsed), receipt }
  }

  async function pass(seconds: number) {
    await provider.request({ method: "hardhat_mine", params: [`0x${seconds.toString(16)}`, "0x1"] })
  }

  async function setUp(capability: Hex) {
    for (const account of accounts) {
      await send(account, on.token("faucet"))
      await send(account, on.token("approve", registry, 2n ** 256n - 1n))
    }
    for (const worker of workers) await send(worker, on.registry("allow", coordinator, 1_000_000n * TOKEN))
    await send(coordinator, on.registry("allow", coordinator, 16_000_000n * TOKEN))
    for (const verifier of verifiers.slice(0, 4)) await send(verifier, on.registry("stake", capability, 4))
    await pass(2)
  }

  let nonce = 0n
  async function post(terms: Terms) {
    const { gas, receipt } = await send(requester, on.market("post", terms, nonce++))
    const [event] = parseEventLogs({ abi: marketAbi, eventName: "JobPosted", logs: receipt.logs })
    if (!event) throw new Error("no job was posted")
    return { gas, jobId: event.args.jobId }
  }

  /** What commitBatch will store when it runs in the next block. */
  async function nextBatch(jobId: bigint, number: number, firstShard: number, ranges: bigint[]): Promise<BatchStruct> {
    const commitBlock = (await chain.getBlockNumber({ cacheTime: 0 })) + 1n
    return {
      jobId,
      number,
      firstShard,
      root: `0x${"5a".repeat(31)}${(number % 256).toString(16).padStart(2, "0")}`,
      commitBlock,
      committer: coordinator,
      backer: coordinator,
      ranges,
    }
  }

  const commitCall = (terms: Terms, batch: BatchStruct) =>
    on.market("commitBatch", terms, batch.jobId, batch.firstShard, batch.root, batch.ranges, `0x${"da".repeat(32)}`)

  async function seedOf(batch: BatchStruct): Promise<Hex> {
    const seed = await chain.readContract({
      address: beacon,
      abi: beaconAbi,
      functionName: "seed",
      args: [batch.commitBlock],
    })
    return drawSeed(seed, batchIdOf(batch.jobId, batch.number))
  }

  const attestCall = (terms: Terms, batch: BatchStruct, a: Statement, seed: Hex = ZERO) =>
    on.market("attest", terms, batch, seed, a.verdictRoot, a.verifiers, a.silentRanges)

  const finalizeCall = (terms: Terms, batch: BatchStruct, a: Attested) => on.market("finalize", terms, batch, a)

  return {
    accounts: { coordinator, requester, workers, verifiers },
    contracts,
    chain,
    on,
    send,
    pass,
    setUp,
    post,
    nextBatch,
    commitCall,
    seedOf,
    attestCall,
    finalizeCall,
    close: () => connection.close(),
  }
}

/** Equal shares of the batch's shards, in words that ascend by worker. */
export function shareOut(workers: readonly Address[], shards: number, tasks: number): bigint[] {
  const each = shards / workers.length
  return workers.map((worker, i) =>
    packRange({ worker, units: tasks / workers.length, mask: ((1n << BigInt(each)) - 1n) << BigInt(i * each) }),
  )
}

/** k verdicts of one unit each, spread over the panel. */
export function spreadVerdicts(panel: readonly Address[], rate: number, tasks: number): Statement {
  const k = sampleCount(rate, tasks)
  const payees = Math.min(k, panel.length)
  const sorted = [...panel].slice(0, payees).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))
  const verifiers = sorted.map((verifier, i) => {
    const count = Math.floor(k / payees) + (i < k % payees ? 1 : 0)
    return packVerifier({ verifier, count, units: BigInt(count) })
  })
  return { verdictRoot: `0x${"7e".repeat(32)}`, verifiers, silentRanges: 0n }
}
