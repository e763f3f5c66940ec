import type { Command } from "commander"
import type { Hex } from "viem"
import { z } from "zod"
import { bitsOf, formatAmount, formatBatchId, formatCount, formatJobId, type JobView, JobViewSchema } from "#protocol"
import { action } from "./shared/action.ts"
import { openReader } from "./shared/openClient.ts"
import { parseJobId } from "./shared/parse.ts"
import { describeProgress } from "./shared/progress.ts"

export function configure(command: Command): void {
  command.argument("<id>", "the job's id").action(
    action(async (context, _options, [id = ""]) => {
      const jobId = parseJobId(id)
      const { client } = await openReader(context)
      const [job, modelId] = await Promise.all([client.job(jobId), client.models.modelOf(jobId)])
      context.out.result({ ...z.encode(JobViewSchema, job), modelId: modelId ?? null }, () => describeJob(job, modelId))
    }),
  )
}

function describeJob(job: JobView, modelId: Hex | undefined): string {
  const batches = job.batches.map((batch) => {
    const lost = bitsOf(batch.voided).length
    return `  batch ${batch.number}  ${batch.state.padEnd(9)} ${batch.leaves} leaves, ${batch.k} audited, ${formatCount(batch.ranges.length, "worker")}${lost > 0 ? `, ${lost} VOID` : ""}  ${formatBatchId(batch.batchId)}`
  })
  return [
    `job ${formatJobId(job.jobId)}  ${job.title ?? ""}`,
    `state      ${job.state}: ${job.reason.text} (${job.reason.code})`,
    `progress   ${describeProgress(job)}`,
    `tasks      ${job.tasks} at ${formatAmount(job.fee)}, ${job.terms.auditRate / 100} % audited`,
    `posted     ${job.createdAt} by ${job.requester}, deadline ${job.deadline}`,
    ...(modelId === undefined ? [] : [`shares     a unit that is paid gives one of model ${modelId}`]),
    ...(batches.length > 0 ? ["batches", ...batches] : []),
    `more: assay why job ${formatJobId(job.jobId)}`,
  ].join("\n")
}
