import type { Abi, Address } from "viem"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import type { Events } from "../events.ts"

export type CoinFetchDeps = { chain: Chain; sender: Sender; events: Events; account: Address }

const UPHELD = 2

/**
 * Fetches the native coin that a dispute, a demand or a claim left to this account (R10, R26): shares for moves in a
 * dispute that its defendant won, what answers earned, deposits that came back. Each call is sent only once what it
 * brings, in wei, is more than its gas costs at the moment; until then it waits, and adds up.
 */
export function createCoinFetch(deps: CoinFetchDeps): () => Promise<void> {
  const { chain, account } = deps
  const { client, deployment, game, challenges, jury } = chain
  const won = new Set<bigint>()
  let fromBlock = BigInt(deployment.deployedBlock)

  async function noteEnded(): Promise<void> {
    const toBlock = await client.getBlockNumber()
    if (toBlock < fromBlock) return
    const about = { address: game.address, abi: game.abi, eventName: "DisputeEnded", strict: true } as const
    const ended = await client.getContractEvents({ ...about, fromBlock, toBlock })
    for (const { args } of ended) if (args.outcome === UPHELD) won.add(args.disputeId)
    fromBlock = toBlock + 1n
  }

  return async () => {
    await noteEnded()
    for (const disputeId of won) {
      if ((await game.read.movesOf([disputeId, account])) === 0n) {
        won.delete(disputeId)
        continue
      }
      const call = { address: game.address, abi: game.abi, functionName: "claimMoves", args: [disputeId] } as const
      const { result: share } = await client.simulateContract({ ...call, account })
      if (!(await isWorth(deps, call, share))) continue
      await deps.sender.send(call)
      won.delete(disputeId)
    }
    const [played, answered, dutiful] = await Promise.all([
      game.read.coinsOf([account]),
      challenges.read.depositsOf([account]),
      jury.read.dutyDepositsOf([account]),
    ])
    await withdraw(deps, { ...game, functionName: "withdrawCoins" }, played)
    await withdraw(deps, { ...challenges, functionName: "withdrawDeposits" }, answered)
    await withdraw(deps, { ...jury, functionName: "withdrawDutyDeposits" }, dutiful)
  }
}

type Withdrawal = { address: Address; abi: Abi; functionName: string }

async function withdraw(deps: CoinFetchDeps, { address, abi, functionName }: Withdrawal, amount: bigint) {
  const call = { address, abi, functionName, args: [] }
  if (amount === 0n || !(await isWorth(deps, call, amount))) return
  const { transactionHash: tx } = await deps.sender.send(call)
  deps.events.emit({ kind: "coins", amount, tx })
}

async function isWorth(
  { chain, account }: CoinFetchDeps,
  call: Withdrawal & { args: readonly unknown[] },
  amount: bigint,
): Promise<boolean> {
  const [gas, price] = await Promise.all([
    chain.client.estimateContractGas({ ...call, account }),
    chain.client.getGasPrice(),
  ])
  return amount > gas * price
}
