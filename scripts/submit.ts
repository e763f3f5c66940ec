import type { Command } from "commander"
import type { LocalAccount } from "viem"
import { formatAmount, formatCount, formatJobId, type JobView } from "#protocol"
import { isLocal } from "./shared/accounts.ts"
import { action, type Context } from "./shared/action.ts"
import { ensureTokens } from "./shared/funds.ts"
import { addJobFlags, type JobFlags, readJobRequest } from "./shared/jobRequest.ts"
import { type OpenClient, openSpender } from "./shared/openClient.ts"
import { amount } from "./shared/output.ts"
import { parseModelId } from "./shared/parse.ts"
import { createProgress } from "./shared/progress.ts"
import { confirm } from "./shared/prompt.ts"
import { settleRefund } from "./shared/refund.ts"
import { type WrittenOutput, writeOutputs } from "./shared/writeOutputs.ts"

type Options = JobFlags & { wait?: boolean; out?: string; royalty?: string }

export function configure(command: Command): void {
  addJobFlags(command)
    .option("--wait", "follow the job to its end, write outputs and take the refund")
    .option("--out <dir>", "where outputs go (with --wait; default ./assay-<job id>)")
    .option("--royalty <model>", "id of the trained model that the job uses: its royalty goes to who holds its shares")
    .action(action<Options>(submit))
}

async function submit(context: Context, options: Options): Promise<void> {
  const { out, signal } = context
  const request = await readJobRequest(options)
  const opened = await openSpender(context)
  const { client, account } = opened
  const prepared = await client.prepare(request)
  const { quote } = prepared
  for (const warning of quote.warnings) out.say(`note: ${warning}`)
  const modelId = options.royalty === undefined ? undefined : parseModelId(options.royalty)
  const royalty = modelId === undefined ? 0n : await client.models.royaltyOf(modelId, prepared.plan.terms)
  const more = modelId === undefined ? "" : `, and pay ${formatAmount(royalty)} for the use of the model`
  if (isLocal(context)) await ensureTokens({ ...opened, context }, account, quote.escrow + royalty)
  else await confirm(`Lock ${formatAmount(quote.escrow)} for ${formatCount(quote.tasks, "task")}${more}?`, context)
  const { jobId, tx, escrow } = await client.post(prepared, { signal })
  const id = formatJobId(jobId)
  if (modelId !== undefined && royalty > 0n) await client.models.pay(modelId, { jobId, amount: royalty })
  const posted = { jobId: id, tx, tasks: quote.tasks, ...amount("escrow", escrow), ...amount("royalty", royalty) }
  if (!options.wait) {
    out.result({ ...posted, status: "open", outputs: [], ...amount("charged", 0n), ...amount("refunded", 0n) }, () =>
      [
        `job ${id} is posted: ${formatCount(quote.tasks, "task")}, ${formatAmount(escrow)} in escrow (${tx})`,
        `follow it with: assay job ${id}`,
      ].join("\n"),
    )
    return
  }
  out.say(`job ${id} is posted: ${formatCount(quote.tasks, "task")}, ${formatAmount(escrow)} in escrow`)
  const { view, outputs, refunded } = await wait(context, opened, {
    jobId,
    dir: options.out ?? `assay-${id.slice(0, 10)}`,
  })
  const done = view.counts.final === view.shards
  out.result(
    {
      ...posted,
      status: done ? "final" : view.state,
      outputs,
      ...amount("charged", escrow - refunded),
      ...amount("refunded", refunded),
    },
    () =>
      [
        done
          ? `done: ${outputs.length} outputs`
          : `ended ${view.state}, with ${outputs.length} of ${view.tasks} outputs: ${view.reason.text}`,
        `charged ${formatAmount(escrow - refunded)}, refunded ${formatAmount(refunded)}`,
      ].join("\n"),
  )
  if (!done) process.exitCode = 1
}

type Waited = { view: JobView; outputs: WrittenOutput[]; refunded: bigint }

async function wait(
  { out, signal }: Context,
  { client, account }: OpenClient & { account: LocalAccount },
  { jobId, dir }: { jobId: bigint; dir: string },
): Promise<Waited> {
  const progress = createProgress(out)
  let view: JobView
  try {
    view = await client.follow(jobId, { signal, onProgress: progress.show })
  } catch (error) {
    if (signal.aborted) out.say(`stopped looking; the job goes on: assay job ${formatJobId(jobId)}`)
    throw error
  } finally {
    progress.end()
  }
  const outputs = await writeOutputs(dir, await client.results(jobId, { signal }))
  out.say(`outputs are in ${dir}`)
  const refunded = await settleRefund({ client, account: account.address }, jobId)
  return { view, outputs, refunded }
}
