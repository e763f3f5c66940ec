import type { Command } from "commander"
import { formatAmount, formatJobId } from "#protocol"
import { action } from "./shared/action.ts"
import { describeError } from "./shared/errors.ts"
import { openSpender } from "./shared/openClient.ts"
import { amount } from "./shared/output.ts"
import { parseJobId } from "./shared/parse.ts"
import { refundedOf } from "./shared/refund.ts"

export function configure(command: Command): void {
  command
    .description(
      "Close a job: nothing new starts. What is under way is still paid (R18); the rest is refunded, at once if nothing is under way.",
    )
    .argument("<id>", "the job's id")
    .action(
      action(async (context, _options, [id = ""]) => {
        const jobId = parseJobId(id)
        const { client, account } = await openSpender(context)
        const tx = await client.close(jobId)
        let refunded = 0n
        let later: string | null = null
        try {
          await client.refund(jobId)
        } catch (error) {
          later = describeError(error).message
        }
        refunded = await refundedOf({ client, account: account.address }, jobId)
        context.out.result(
          { jobId: formatJobId(jobId), tx, ...amount("refunded", refunded), refundLater: later },
          () =>
            later === null
              ? `closed; ${formatAmount(refunded)} are yours: assay withdraw --role requester (${tx})`
              : `closed; the refund waits for what is under way (${later}): run this again later (${tx})`,
        )
      }),
    )
}
