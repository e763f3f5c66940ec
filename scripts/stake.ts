import type { Command } from "commander"
import { formatAmount, type MemoryTier, registryAbi } from "#protocol"
import { isLocal } from "./shared/accounts.ts"
import { action } from "./shared/action.ts"
import { CliError, usageError } from "./shared/errors.ts"
import { ensureTokens } from "./shared/funds.ts"
import { approve, balanceOf, openWallet, seatCapability, send, stakeOf } from "./shared/money.ts"
import { amount } from "./shared/output.ts"
import { parseGiB, parseTokens } from "./shared/parse.ts"
import { confirm } from "./shared/prompt.ts"

type Options = { role: string; memory: MemoryTier }

export function configure(command: Command): void {
  command
    .argument("<amount>", "tokens; whole seats are taken")
    .option("--role <name>", "whose key", "worker")
    .option("--memory <GiB>", "memory tier of the machine: 2, 8, 32 or 128", parseGiB, 2)
    .action(
      action<Options>(async (context, { role, memory }, [text = ""]) => {
        const wanted = parseTokens(text)
        const wallet = await openWallet(context, role)
        const { chain, registry, account } = wallet
        const seat = await chain.readContract({ address: registry, abi: registryAbi, functionName: "SEAT" })
        const count = wanted / seat
        if (count === 0n)
          throw usageError("E_AMOUNT_BELOW_SEAT", `a seat is ${formatAmount(seat)}: stake at least that`)
        const cost = count * seat
        if (!isLocal(context)) await confirm(`Stake ${formatAmount(cost)} for ${count} seats?`, context)
        const balance = isLocal(context) ? await ensureTokens(wallet, account, cost) : await balanceOf(wallet)
        if (balance < cost)
          throw new CliError(
            "E_BALANCE",
            `${account.address} has ${formatAmount(balance)}, ${formatAmount(cost)} are needed`,
          )
        await approve(wallet, cost)
        const tx = await send(wallet, "stake", [seatCapability(memory), Number(count)])
        const { staked, seats } = await stakeOf(wallet)
        context.out.result(
          {
            tx,
            account: account.address,
            seats: Number(seats),
            ...amount("staked", staked),
            ...amount("balance", await balanceOf(wallet)),
          },
          () => `staked ${formatAmount(cost)} for ${count} seats; ${account.address} has ${seats} seats now (${tx})`,
        )
      }),
    )
}
