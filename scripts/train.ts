import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Command } from "commander"
import {
  type Client,
  contributions,
  createRunFolder,
  meanLoss,
  openRunFolder,
  type RunFolder,
  type SavedModel,
  type TrainEvent,
  type TrainingRun,
  train,
  trainedModel,
} from "#client"
import { createRunner, sentBytes, stateCommitment, trainAlone, withParameters } from "#engine"
import { formatAmount, formatCount, formatJobId } from "#protocol"
import { isLocal } from "./shared/accounts.ts"
import { action, type Context } from "./shared/action.ts"
import { writeBaseline } from "./shared/baseline.ts"
import { CliError, usageError } from "./shared/errors.ts"
import { ensureTokens } from "./shared/funds.ts"
import { openSpender } from "./shared/openClient.ts"
import { amount } from "./shared/output.ts"
import { confirm } from "./shared/prompt.ts"
import { readTrainConfig, type TrainConfig } from "./shared/trainConfig.ts"

type Options = { config?: string; wait?: boolean; out?: string; alone?: boolean }

export function configure(command: Command): void {
  command
    .description(
      "Train a model round by round on the market: each round is a job, a task a slot, and its inputs follow from the round before. The run lives in a folder; the same command goes on with it, whatever stopped it.",
    )
    .option("--config <run.json>", "model, data, loss, optimizer, rounds, slots, compression, fee")
    .option("--wait", "go on to the last round; without it one round is played")
    .option("--alone", "train on this machine instead, one stream, nothing compressed, nothing posted: a baseline")
    .option("--out <dir>", "the run's folder (default: the configuration's name and -run, or -alone)")
    .action(action<Options>(trainCommand))
}

async function trainCommand(context: Context, options: Options): Promise<void> {
  const { out, signal } = context
  if (options.config === undefined) throw usageError("E_USAGE", "name the configuration with --config run.json")
  const config = await readTrainConfig(options.config)
  if (options.alone) return alone(context, config, options.out ?? options.config.replace(/(\.json)?$/, "-alone"))
  const { plan, rateOf, money, quorum, shares } = config
  const dir = options.out ?? `${options.config.replace(/\.json$/, "")}-run`
  const folder = await openOrCreate(dir, plan)
  const { run } = folder
  out.say(
    `${plan.title}: ${plan.program.parameters} parameters, ${plan.rounds} rounds of ${plan.program.slots} slots with ${plan.program.steps} steps each; the run is kept in ${dir}`,
  )
  out.say(
    `a slot sends ${kilobytes(sentBytes(plan.program))} a round, of ${kilobytes(4 * plan.program.parameters)} of parameters`,
  )
  if (run.rounds.length > 0) out.say(`going on at round ${run.rounds.length}`)
  const opened = await openSpender(context)
  const { client, account } = opened
  const local = isLocal(context)
  let asked = local
  const runner = createRunner()
  const began = Date.now()
  let locked = 0n
  try {
    const ended = await train(
      { client, runner },
      {
        program: plan.program,
        ...(quorum === undefined ? {} : { quorum }),
        run,
        rounds: options.wait ? plan.rounds : Math.min(run.rounds.length + 1, plan.rounds),
        rateOf,
        title: plan.title,
        ...money,
        async register(programRoot) {
          const modelId = await client.models.open({ programRoot, title: plan.title, ...shares })
          out.say(`model ${modelId}: work that becomes final gets a share of it for each slot and round`)
          return modelId
        },
        keep: folder.save,
        async fund(escrow) {
          if (local) return ensureTokens({ ...opened, context }, account, escrow)
          if (!asked) await confirm(`Lock ${formatAmount(escrow)} for each of ${plan.rounds} rounds?`, context)
          asked = true
        },
        onEvent(event) {
          if (event.kind === "posted") locked += event.escrow
          out.say(describe(event, plan.rounds))
          if (event.kind === "round")
            out.say(progressOf({ began, before: run.rounds.length, locked }, event, plan.rounds))
        },
        signal,
      },
    )
    const done = ended.rounds.length === plan.rounds
    const saved = await folder.saveModel(ended, await trainedModel({ runner }, plan, ended))
    const { path: model } = saved
    if (ended.modelId !== undefined) await shareOut(context, client, { run: ended, saved, done })
    const spent = await spentOn(client, account.address, ended)
    const loss = meanLoss(ended.rounds.at(-1)!)
    out.result(
      {
        status: done ? "final" : "open",
        run: dir,
        model,
        modelId: ended.modelId ?? null,
        rounds: ended.rounds.length,
        loss,
        jobs: ended.rounds.map(({ jobId }) => formatJobId(jobId)),
        contributors: Object.fromEntries(contributions(ended)),
        ...amount("charged", spent),
      },
      () =>
        [
          `${done ? "done" : "so far"}: ${ended.rounds.length} of ${plan.rounds} rounds, loss ${loss.toFixed(4)}, charged ${formatAmount(spent)}`,
          `the model is ${model}; check where it came from: assay verify ${dir}`,
        ].join("\n"),
    )
  } catch (error) {
    if (signal.aborted) out.say(`stopped; what was posted goes on, and so does the run: the same command again`)
    throw error
  } finally {
    await runner.close()
  }
}

/** Anyone may credit work; whoever trains does, so that nobody has to. */
async function shareOut(
  { out }: Context,
  { models }: Client,
  { run, saved, done }: { run: TrainingRun; saved: SavedModel; done: boolean },
): Promise<void> {
  const modelId = run.modelId!
  const batches = await models.credit(modelId)
  const { shares, complete } = await models.read(modelId)
  out.say(`${formatCount(batches, "batche")} credited: ${shares} shares of model ${modelId}`)
  if (!done || complete) return
  const state = stateCommitment([...Object.values(run.state.shared), ...Object.values(run.state.gathered)])
  await models.complete(modelId, { state, manifest: saved.manifestSha256, model: saved.sha256 })
}

async function alone({ out, signal }: Context, { plan, segment, rateOf }: TrainConfig, dir: string): Promise<void> {
  const runner = createRunner()
  try {
    const { p, losses } = await trainAlone(
      { runner },
      {
        segment,
        model: plan.forward,
        segments: plan.rounds,
        rateOf,
        ...(plan.program.feed ? { feed: plan.program.feed } : {}),
        onSegment: (done, found) => out.say(`steps to ${(done + 1) * segment.steps}: loss ${mean(found).toFixed(4)}`),
        signal,
      },
    )
    const name = `${plan.title}, on one machine`
    const model = await writeBaseline(dir, { name, losses }, withParameters(plan.forward, plan.parameters, p))
    const loss = mean(losses.slice(-segment.steps))
    out.result(
      { model, steps: losses.length, loss },
      () => `done: ${losses.length} steps, loss ${loss.toFixed(4)}; the model is ${model}`,
    )
  } finally {
    await runner.close()
  }
}

type Pace = { began: number; before: number; locked: bigint }

function progressOf(
  { began, before, locked }: Pace,
  { record }: TrainEvent & { kind: "round" },
  rounds: number,
): string {
  const played = record.round + 1 - before
  // A run that went back to an earlier round has nothing to measure its pace by yet.
  const left = played > 0 ? ((Date.now() - began) / played) * (rounds - record.round - 1) : Number.NaN
  const time = Number.isFinite(left) ? `, about ${Math.ceil(left / 60_000)} min to go` : ""
  return `  ${formatAmount(locked)} put in escrow in this sitting${time}`
}

/** What a slot's update takes up, besides the state that travels with its task. */
function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

async function openOrCreate(dir: string, plan: RunFolder["plan"]): Promise<RunFolder> {
  if (!existsSync(join(dir, "manifest.json"))) return createRunFolder(dir, plan)
  const folder = await openRunFolder(dir)
  const [before, now] = [folder.plan.sources, plan.sources]
  const changed = Object.keys(now).find((name) => before[name] !== now[name])
  if (changed === undefined) return folder
  throw new CliError(
    "E_RUN_CHANGED",
    `${changed} is not what the run in ${dir} began with: give it back, or --out another`,
    {
      usage: true,
    },
  )
}

function describe(event: TrainEvent, rounds: number): string {
  switch (event.kind) {
    case "posted":
      return `round ${event.round}: job ${formatJobId(event.jobId)} is posted, ${formatAmount(event.escrow)} in escrow${event.shared ? "" : "; it gives no shares, for all jobs of the model's plan are posted"}`
    case "round": {
      const { round, slots } = event.record
      const used = slots.filter((slot) => slot !== null)
      const workers = new Set(used.map(({ worker }) => worker)).size
      const without =
        used.length < slots.length ? `, without ${slots.length - used.length} that came too late to be used` : ""
      return `round ${round} of ${rounds}: loss ${event.loss.toFixed(4)}, ${used.length} slots by ${workers} workers${without}`
    }
    case "final":
      return `round ${event.round} is final`
    case "refuted":
      return `round ${event.round}: slot ${event.slot} was wrong, and the contract says so (${event.result.gas} gas); it is computed again`
    case "lost":
      return `round ${event.round}: slot ${event.slot} was wrong, and final before anybody disputed it: the round does without it`
    case "reverted":
      return `round ${event.round} was found wrong after it had been used: the run goes back to it`
  }
}

/** Escrow that did not come back, of the rounds that are in the run. */
async function spentOn(client: Client, account: `0x${string}`, { rounds }: TrainingRun): Promise<bigint> {
  const jobs = new Set(rounds.map(({ jobId }) => jobId))
  const entries = (await client.payouts(account)).flatMap((payout) => payout.entries)
  const back = entries.filter(({ kind, jobId }) => kind === "refund" && jobId !== undefined && jobs.has(jobId))
  return rounds.reduce((sum, { escrow }) => sum + escrow, 0n) - back.reduce((sum, { amount }) => sum + amount, 0n)
}
