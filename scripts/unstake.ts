import type { Command } from "commander"
import type { Hex } from "viem"
import { formatAmount, type MemoryTier, registryAbi } from "#protocol"
import { action } from "./shared/action.ts"
import { CliError, usageError } from "./shared/errors.ts"
import { balanceOf, openWallet, seatCapability, send, stakeOf, type Wallet } from "./shared/money.ts"
import { amount } from "./shared/output.ts"
import { parseGiB, parseTokens } from "./shared/parse.ts"
import { ownedSeats } from "./shared/seats.ts"

type Options = { role: string; memory: MemoryTier; complete?: boolean }

export function configure(command: Command): void {
  command
    .argument("[amount]", "tokens to unstake; whole seats are given back")
    .option("--complete", "take what has unbonded")
    .option("--role <name>", "whose key", "worker")
    .option("--memory <GiB>", "memory tier of the seats", parseGiB, 2)
    .action(
      action<Options>(async (context, { role, memory, complete }, [text]) => {
        if (text === undefined && !complete)
          throw usageError("E_USAGE", "give an amount to unstake, or --complete to take what has unbonded")
        const wallet = await openWallet(context, role)
        const tx = complete
          ? await completeUnstake(wallet)
          : await requestUnstake(wallet, { wanted: parseTokens(text ?? "0"), memory })
        const { staked, unbonding, unbondAt, seats } = await stakeOf(wallet)
        const ripeAt = unbonding > 0n ? new Date(Number(unbondAt) * 1000).toISOString() : null
        const view = {
          tx,
          account: wallet.account.address,
          seats: Number(seats),
          ...amount("staked", staked),
          ...amount("unbonding", unbonding),
          ripeAt,
          ...amount("balance", await balanceOf(wallet)),
        }
        context.out.result(view, () =>
          complete
            ? `took what had unbonded; ${formatAmount(staked)} remain staked (${tx})`
            : `${formatAmount(unbonding)} unbond until ${ripeAt}; then \`assay unstake --complete\` takes them (${tx})`,
        )
      }),
    )
}

async function completeUnstake(wallet: Wallet): Promise<Hex> {
  const { unbonding, unbondAt } = await stakeOf(wallet)
  if (unbonding === 0n)
    throw new CliError(
      "E_NOTHING_UNBONDING",
      `${wallet.account.address} has nothing unbonding: ask for it with \`assay unstake AMOUNT\``,
    )
  const { timestamp } = await wallet.chain.getBlock()
  if (timestamp < unbondAt) {
    throw new CliError(
      "E_UNBONDING",
      `${formatAmount(unbonding)} unbond until ${new Date(Number(unbondAt) * 1000).toISOString()}: run this again then`,
    )
  }
  return send(wallet, "completeUnstake")
}

async function requestUnstake(
  wallet: Wallet,
  { wanted, memory }: { wanted: bigint; memory: MemoryTier },
): Promise<Hex> {
  const { chain, registry } = wallet
  const seat = await chain.readContract({ address: registry, abi: registryAbi, functionName: "SEAT" })
  const count = Number(wanted / seat)
  if (count === 0) throw usageError("E_AMOUNT_BELOW_SEAT", `a seat is ${formatAmount(seat)}: unstake at least that`)
  const owned = await ownedSeats(wallet, seatCapability(memory))
  if (owned.length < count)
    throw new CliError(
      "E_TOO_FEW_SEATS",
      `${wallet.account.address} has ${owned.length} seats of this capability, not ${count}`,
    )
  return send(wallet, "requestUnstake", [seatCapability(memory), owned.slice(0, count)])
}
