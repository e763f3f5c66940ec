import type { Command } from "commander"
import { formatAmount, formatCount } from "#protocol"
import { action } from "./shared/action.ts"
import { estimateSeconds } from "./shared/estimate.ts"
import { addJobFlags, type JobFlags, readJobRequest } from "./shared/jobRequest.ts"
import { openSpender } from "./shared/openClient.ts"
import { amount } from "./shared/output.ts"

export function configure(command: Command): void {
  addJobFlags(command).action(
    action<JobFlags>(async (context, flags) => {
      const request = await readJobRequest(flags)
      const { client, deployment } = await openSpender(context)
      const prepared = await client.prepare(request)
      const { quote } = prepared
      const seconds = await estimateSeconds({ request, prepared, quote }, deployment)
      for (const warning of quote.warnings) context.out.say(`note: ${warning}`)
      context.out.result(
        {
          ...amount("fee", quote.fee),
          ...amount("auditBudget", quote.auditBudget),
          ...amount("escrow", quote.escrow),
          ...amount("collateral", quote.collateral),
          seats: quote.seats,
          largestOwner: quote.largestOwner,
          workers: quote.workers.free,
          online: quote.workers.online,
          seconds,
          tasks: quote.tasks,
          shards: quote.shards,
          shardSize: quote.shardSize,
          warnings: quote.warnings,
        },
        () =>
          [
            `fee            ${formatAmount(quote.fee)} for ${quote.tasks} tasks in ${quote.shards} shards of ${quote.shardSize}`,
            `audit budget   ${formatAmount(quote.auditBudget)}; what is not used comes back`,
            `escrow         ${formatAmount(quote.escrow)}`,
            `collateral     ${formatAmount(quote.collateral)} for each worker and batch`,
            `verifiers      ${formatCount(quote.seats, "seat")}, the largest owner holds ${(quote.largestOwner * 100).toFixed(0)} %`,
            `workers        ${quote.workers.free} free of ${quote.workers.online} online`,
            `time           about ${seconds} s`,
            "nothing was spent",
          ].join("\n"),
      )
    }),
  )
}
