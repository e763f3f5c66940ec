import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Command } from "commander"
import pc from "picocolors"
import { openRunFolder, readManifest, replayRun, type VerifyJobResult, verifyRun } from "#client"
import { createRunner } from "#engine"
import { action, type Context } from "./shared/action.ts"
import { openReader } from "./shared/openClient.ts"
import { parseJobId } from "./shared/parse.ts"
import { readTrainConfig } from "./shared/trainConfig.ts"

type Options = { rerun?: boolean; replay?: boolean; config?: string }

export function configure(command: Command): void {
  command
    .description(
      "Re-derive a job's draw and check leaves, signatures, verdicts and payouts from chain and artifacts; of a training run, every round's job, that its inputs follow from the round before, and the model. Checks that could not be done are listed, never counted as passed.",
    )
    .argument("<id|run>", "the job's id, or the folder of a training run")
    .option("--rerun", "also compute the sampled tasks of the job again")
    .option("--replay", "make a run's model again on this machine, every step of it, and ask no chain")
    .option("--config <run.json>", "what the run was made from, where its folder holds the manifest alone")
    .action(
      action<Options>(async (context, options, [subject = ""]) => {
        const { ok, checks } = await checksOf(context, subject, options)
        const mark = (state: boolean | null) =>
          state === null ? pc.yellow("–") : state ? pc.green("ok") : pc.red("NO")
        context.out.result({ ok, checks }, () =>
          [
            ...checks.map((check) => `${mark(check.ok).padEnd(2)}  ${check.name.padEnd(28)} ${check.detail}`),
            ok ? "verified" : "NOT verified",
          ].join("\n"),
        )
        if (!ok) process.exitCode = 1
      }),
    )
}

async function checksOf(
  context: Context,
  subject: string,
  { rerun = false, replay = false, config }: Options,
): Promise<VerifyJobResult> {
  const { signal, out } = context
  if (!existsSync(join(subject, "manifest.json"))) {
    const jobId = parseJobId(subject)
    return (await openReader(context)).client.verify(jobId, { rerun, signal })
  }
  const plan = config === undefined ? (await openRunFolder(subject)).plan : (await readTrainConfig(config)).plan
  const manifest = await readManifest(subject)
  const runner = createRunner()
  try {
    if (!replay) return await verifyRun({ ...(await openReader(context)), runner }, { plan, manifest, signal })
    const onRound = (round: number) => out.detail(`round ${round} is made again`)
    return await replayRun({ runner }, { plan, manifest, onRound, signal })
  } finally {
    await runner.close()
  }
}
