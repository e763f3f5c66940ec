import { challengesAbi, disputeGameAbi, juryAbi } from "#protocol"
import type { Wallet } from "./money.ts"
import { type Call, transact } from "./transact.ts"

export type Coins = { readonly fetched: bigint; readonly left: bigint }

/**
 * Takes the native coin, in wei, that disputes, demands and calls left to an account (R10, R26): deposits that came back,
 * pay for moves and answers. What is worth less than the gas of taking it is left, and adds up.
 */
export async function fetchCoins(wallet: Pick<Wallet, "chain" | "rpcUrl" | "account" | "deployment">): Promise<Coins> {
  const { chain, account, deployment } = wallet
  const { game, challenges, jury } = deployment.contracts
  const args = [account.address] as const
  const holders: readonly { amount: bigint; call: Call }[] = [
    {
      amount: await chain.readContract({ address: game, abi: disputeGameAbi, functionName: "coinsOf", args }),
      call: { address: game, abi: disputeGameAbi, functionName: "withdrawCoins" },
    },
    {
      amount: await chain.readContract({ address: challenges, abi: challengesAbi, functionName: "depositsOf", args }),
      call: { address: challenges, abi: challengesAbi, functionName: "withdrawDeposits" },
    },
    {
      amount: await chain.readContract({ address: jury, abi: juryAbi, functionName: "dutyDepositsOf", args }),
      call: { address: jury, abi: juryAbi, functionName: "withdrawDutyDeposits" },
    },
  ]
  let [fetched, left] = [0n, 0n]
  for (const { amount, call } of holders) {
    if (amount === 0n) continue
    const [gas, price] = await Promise.all([chain.estimateContractGas({ ...call, account }), chain.getGasPrice()])
    if (amount > gas * price) {
      await transact(wallet, call)
      fetched += amount
    } else left += amount
  }
  return { fetched, left }
}
