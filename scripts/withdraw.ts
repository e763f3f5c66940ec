import type { Command } from "commander"
import { type Address, formatEther } from "viem"
import { formatAmount } from "#protocol"
import { action } from "./shared/action.ts"
import { fetchCoins } from "./shared/coins.ts"
import { balanceOf, coordinatorsOf, openWallet, pairOf, send, stakeOf } from "./shared/money.ts"
import { amount } from "./shared/output.ts"
import { parseAddress } from "./shared/parse.ts"

type Options = { role: string; from?: string[] }

export function configure(command: Command): void {
  command
    .option("--role <name>", "whose key", "worker")
    .option("--from <coordinators...>", "coordinators to withdraw from (default: all that ever owed)")
    .action(
      action<Options>(async (context, { role, from = [] }) => {
        const wallet = await openWallet(context, role)
        const named = from.map(parseAddress)
        const coordinators =
          named.length > 0 ? named : await coordinatorsOf(wallet, await askAddress(context.coordinatorUrl))
        const owing: { coordinator: Address; owed: bigint }[] = []
        for (const coordinator of coordinators) {
          const { owed } = await pairOf(wallet, coordinator)
          if (owed > 0n) owing.push({ coordinator, owed })
        }
        const total = owing.reduce((sum, { owed }) => sum + owed, 0n)
        const tx = total === 0n ? null : await send(wallet, "withdraw", [owing.map(({ coordinator }) => coordinator)])
        const coins = await fetchCoins(wallet)
        const { staked } = await stakeOf(wallet)
        const balance = await balanceOf(wallet)
        context.out.result(
          {
            tx,
            account: wallet.account.address,
            ...amount("withdrawn", total),
            ...amount("owed", 0n),
            ...amount("staked", staked),
            ...amount("balance", balance),
            coins: coins.fetched.toString(),
            coinsLeft: coins.left.toString(),
          },
          () =>
            [
              tx === null
                ? `nothing is owed to ${wallet.account.address}`
                : `withdrew ${formatAmount(total)}; the balance is ${formatAmount(balance)} (${tx})`,
              ...(coins.fetched > 0n ? [`took ${formatEther(coins.fetched)} of native coin that disputes left`] : []),
              ...(coins.left > 0n
                ? [`${formatEther(coins.left)} of native coin is worth less than the gas of taking it`]
                : []),
            ].join("\n"),
        )
      }),
    )
}

/** The coordinator at hand may owe audit pay without ever having held collateral. It need not be up. */
async function askAddress(url: string): Promise<Address[]> {
  try {
    const response = await fetch(`${url}/v1/info`, { signal: AbortSignal.timeout(3000) })
    const { coordinator } = (await response.json()) as { coordinator?: unknown }
    return typeof coordinator === "string" ? [parseAddress(coordinator)] : []
  } catch {
    // Withdrawing needs the chain alone.
    return []
  }
}
