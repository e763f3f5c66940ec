import type { Command } from "commander"
import { formatAmount } from "#protocol"
import { isLocal } from "./shared/accounts.ts"
import { action } from "./shared/action.ts"
import { CliError } from "./shared/errors.ts"
import { ensureTokens } from "./shared/funds.ts"
import { approve, balanceOf, openWallet, pairOf, send } from "./shared/money.ts"
import { amount } from "./shared/output.ts"
import { parseAddress, parseTokens } from "./shared/parse.ts"
import { confirm } from "./shared/prompt.ts"

type Options = { role: string; out?: boolean }

export function configure(command: Command): void {
  command
    .argument("<coordinator>", "whose leases it stands behind; your own address is a coordinator's bond")
    .argument("<amount>", "tokens")
    .option("--out", "take free collateral out; the first call gives notice, a later one takes it")
    .option("--role <name>", "whose key", "worker")
    .action(
      action<Options>(async (context, { role, out: takeOut }, [who = "", text = ""]) => {
        const coordinator = parseAddress(who)
        const value = parseTokens(text)
        const wallet = await openWallet(context, role)
        const before = await pairOf(wallet, coordinator)
        let tx: string
        if (!takeOut) {
          if (!isLocal(context)) await confirm(`Reserve ${formatAmount(value)} for ${coordinator}?`, context)
          const balance = isLocal(context) ? await ensureTokens(wallet, wallet.account, value) : await balanceOf(wallet)
          if (balance < value)
            throw new CliError(
              "E_BALANCE",
              `${wallet.account.address} has ${formatAmount(balance)}, ${formatAmount(value)} are needed`,
            )
          await approve(wallet, value)
          tx = await send(wallet, "allow", [coordinator, value])
        } else {
          if (before.free < value)
            throw new CliError(
              "E_BALANCE",
              `${formatAmount(before.free)} are free with ${coordinator}, not ${formatAmount(value)}: the rest is locked in batches`,
            )
          const { timestamp } = await wallet.chain.getBlock()
          const ripe = before.noticeAt !== 0n && timestamp >= before.noticeAt
          if (before.noticeAt !== 0n && !ripe) {
            throw new CliError(
              "E_NOTICE",
              `notice runs until ${new Date(Number(before.noticeAt) * 1000).toISOString()}: run this again then`,
            )
          }
          tx = ripe
            ? await send(wallet, "takeOut", [coordinator, value])
            : await send(wallet, "giveNotice", [coordinator])
        }
        const { free, noticeAt } = await pairOf(wallet, coordinator)
        const notice = noticeAt === 0n ? null : new Date(Number(noticeAt) * 1000).toISOString()
        context.out.result({ tx, coordinator, ...amount("free", free), notice }, () =>
          notice === null
            ? `${formatAmount(free)} are free with ${coordinator} (${tx})`
            : `notice given: from ${notice} on, the same command takes it out (${tx})`,
        )
      }),
    )
}
