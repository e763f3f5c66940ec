import Table from "cli-table3"
import type { Command } from "commander"
import type { Payout } from "#client"
import { formatAmount, formatBatchId, formatJobId } from "#protocol"
import { action } from "./shared/action.ts"
import { openReader } from "./shared/openClient.ts"
import { amount, shortHex } from "./shared/output.ts"
import { parseAddress } from "./shared/parse.ts"

export function configure(command: Command): void {
  command
    .description(
      "Earned, owed, withdrawn and slashed, for one account or for all, read from the chain: nobody is asked.",
    )
    .argument("[address]", "one account")
    .action(
      action(async (context, _options, [address]) => {
        const { client } = await openReader(context)
        const payouts = await client.payouts(address === undefined ? undefined : parseAddress(address))
        context.out.result(payouts.map(asJson), () => (payouts.length === 0 ? "nobody was paid yet" : table(payouts)))
      }),
    )
}

export function asJson(payout: Payout) {
  return {
    account: payout.account,
    ...amount("earned", payout.earned),
    ...amount("owed", payout.owed),
    ...amount("withdrawn", payout.withdrawn),
    ...amount("slashed", payout.slashed),
    ...amount("refunded", payout.refunded),
    balanced: payout.balanced,
    batches: payout.entries.map(({ kind, amount: value, batchId, jobId, tasks, tx }) => ({
      kind,
      ...amount("amount", value),
      batchId: batchId === undefined ? null : formatBatchId(batchId),
      jobId: jobId === undefined ? null : formatJobId(jobId),
      tasks,
      tx,
    })),
  }
}

function table(payouts: readonly Payout[]): string {
  const summary = new Table({
    head: ["account", "earned", "owed", "withdrawn", "slashed"],
    style: { head: [], border: [] },
  })
  for (const { account, earned, owed, withdrawn, slashed } of payouts) {
    summary.push([account, ...[earned, owed, withdrawn, slashed].map((value) => formatAmount(value))])
  }
  const [only] = payouts
  if (payouts.length !== 1 || !only) return summary.toString()
  const entries = new Table({
    head: ["what", "amount", "tasks", "job", "batch", "transaction"],
    style: { head: [], border: [] },
  })
  for (const { kind, amount: value, tasks, jobId, batchId, tx } of only.entries) {
    const sign = kind === "slashed" ? "-" : ""
    entries.push([
      kind,
      `${sign}${formatAmount(value)}`,
      String(tasks),
      jobId === undefined ? "" : shortHex(formatJobId(jobId)),
      batchId === undefined ? "" : String(Number(batchId & 0xffff_ffffn)),
      tx,
    ])
  }
  return `${summary.toString()}\n${entries.toString()}`
}
