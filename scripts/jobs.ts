import type { Command } from "commander"
import { z } from "zod"
import { formatAmount, formatJobId, JobSummarySchema } from "#protocol"
import { action } from "./shared/action.ts"
import { usageError } from "./shared/errors.ts"
import { openReader } from "./shared/openClient.ts"
import { parseCount } from "./shared/parse.ts"
import { describeProgress } from "./shared/progress.ts"

type Options = { mine?: boolean; limit: number }

export function configure(command: Command): void {
  command
    .option("--mine", "only those that this home's requester posted")
    .option("--limit <n>", "how many", parseCount, 50)
    .action(
      action<Options>(async (context, { mine, limit }) => {
        const { client, account } = await openReader(context)
        if (mine && !account) throw usageError("E_NO_ACCOUNT", "this home has no requester key yet: it posted no job")
        const jobs = await client.jobs({ limit, ...(mine && account ? { requester: account.address } : {}) })
        context.out.result(
          jobs.map((job) => z.encode(JobSummarySchema, job)),
          () =>
            jobs.length === 0
              ? "no jobs"
              : jobs
                  .map(
                    (job) =>
                      `${formatJobId(job.jobId)}  ${job.state.padEnd(9)} ${String(job.tasks).padStart(6)} tasks at ${formatAmount(job.fee)}  ${job.title ?? ""}  ${describeProgress({ ...job, reason: { code: "", text: job.state }, batches: [] })}`,
                  )
                  .join("\n"),
        )
      }),
    )
}
