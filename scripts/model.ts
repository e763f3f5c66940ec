import { writeFile } from "node:fs/promises"
import type { Command } from "commander"
import type { Hex } from "viem"
import { meanLoss, readManifest } from "#client"
import { formatAmount, formatJobId } from "#protocol"
import { action, type Context } from "./shared/action.ts"
import { readBaseline } from "./shared/baseline.ts"
import { openReader, openSpender } from "./shared/openClient.ts"
import { amount } from "./shared/output.ts"
import { isModelId } from "./shared/parse.ts"
import { plotLosses } from "./shared/plotLosses.ts"

type Options = { plot?: string; against?: string; claim?: boolean; credit?: boolean; role: string }

export function configure(command: Command): void {
  command
    .description(
      "Where a trained model came from: its rounds, jobs, losses, and contributors. By its id: who holds its shares on chain, and what they earn.",
    )
    .argument("<run|id>", "the run's folder, or the model's id")
    .option("--plot <file.svg>", "draw a run's losses, step by step")
    .option("--against <dir>", "in the same plot, what `assay train --alone` came to there")
    .option("--credit", "give shares for final work that has none yet; anyone may")
    .option("--claim", "take what the shares of --role have earned")
    .option("--role <name>", "whose key credits or claims", "worker")
    .action(
      action<Options>(async (context, options, [subject = ""]) => {
        if (isModelId(subject)) await onChain(context, subject, options)
        else await ofRun(context, subject, options)
      }),
    )
}

async function onChain(context: Context, modelId: Hex, options: Options): Promise<void> {
  const { claim = false, credit = false, role } = options
  const opened = claim || credit ? await openSpender(context, role) : await openReader(context)
  const { models } = opened.client
  if (credit) context.out.say(`${await models.credit(modelId)} batches credited`)
  const taken = claim ? await models.claim([modelId]) : undefined
  const model = await models.read(modelId)
  const holders = model.holders.map(({ account, shares, claimable }) => ({
    account,
    shares: shares.toString(),
    share: Number(shares) / Number(model.shares),
    ...amount("claimable", claimable),
  }))
  context.out.result(
    {
      ...model,
      shares: model.shares.toString(),
      holders,
      ...amount("income", model.income),
      ...(taken ? { tx: taken.tx, ...amount("claimed", taken.amount) } : {}),
    },
    () =>
      [
        `${model.title}: ${model.complete ? "complete" : "in training"}, opened by ${model.owner}`,
        `users pay ${model.royalty / 100} % of their fees; ${formatAmount(model.income)} so far`,
        ...(model.complete ? [dividedAt(model), `model    ${model.model}`, `manifest ${model.manifest}`] : []),
        ...holders.map(
          (one) =>
            `share    ${one.account} ${(100 * one.share).toFixed(1)} % (${one.shares} of ${model.shares}), ${one.claimableFormatted} to claim`,
        ),
        ...(taken ? [`claimed ${formatAmount(taken.amount)} (${taken.tx})`] : []),
      ].join("\n"),
  )
}

function dividedAt({ creditUntil }: { creditUntil: number }): string {
  const when = new Date(creditUntil * 1000).toISOString()
  return `income is divided after ${when} (chain time); until then final work gets its shares`
}

async function ofRun({ out }: Context, dir: string, { plot, against }: Options): Promise<void> {
  const { title, program, rounds, played, contributors, sources, modelId } = await readManifest(dir)
  const steps = Object.values(contributors).reduce((sum, one) => sum + one, 0)
  const shares = Object.entries(contributors)
    .map(([account, own]) => ({ account, steps: own, share: own / steps }))
    .sort((a, b) => b.steps - a.steps)
  const curve = played.map((record) => ({
    round: record.round,
    jobId: formatJobId(record.jobId),
    final: record.final,
    loss: meanLoss(record),
  }))
  if (plot !== undefined) {
    const curves = [
      { name: `${title}, ${program.slots} slots on the market`, losses: stepLosses(played, program.steps) },
      ...(against === undefined ? [] : [await readBaseline(against)]),
    ]
    await writeFile(plot, plotLosses(curves))
    out.say(`${plot}: the losses of ${played.length * program.steps} steps`)
  }
  const trained = program.parameters.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0)
  out.result({ title, modelId: modelId ?? null, parameters: trained, rounds, played: curve, shares, sources }, () =>
    [
      `${title}: ${trained} parameters, ${played.length} of ${rounds} rounds of ${program.slots} slots with ${program.steps} steps each`,
      ...Object.entries(sources).map(([name, hash]) => `from    ${name} ${hash}`),
      ...curve.map(
        (one) =>
          `round ${String(one.round).padStart(3)}  loss ${one.loss.toFixed(4)}  ${one.jobId}${one.final ? "" : "  not final"}`,
      ),
      ...shares.map(
        ({ account, steps: own, share }) => `did     ${account} ${(100 * share).toFixed(1)} % (${own} steps)`,
      ),
      ...(modelId === undefined ? [] : [`shares and income: assay model ${modelId}`]),
    ].join("\n"),
  )
}

type Played = Awaited<ReturnType<typeof readManifest>>["played"]

/** Mean over the slots that are in, a number a step. */
function stepLosses(played: Played, steps: number): number[] {
  return played.flatMap(({ slots }) => {
    const used = slots.filter((slot) => slot !== null)
    return Array.from(
      { length: steps },
      (_, step) => used.reduce((sum, { losses }) => sum + losses[step]!, 0) / used.length,
    )
  })
}
