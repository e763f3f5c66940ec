import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Command } from "commander"
import pc from "picocolors"
import { type Client, openRunFolder, readManifest, type VerifyJobResult, verifyRun } from "#client"
import { createRunner } from "#engine"
import { action } from "./shared/action.ts"
import { openReader } from "./shared/openClient.ts"
import { parseJobId } from "./shared/parse.ts"

export function configure(command: Command): void {
  command
    .description(
      "Re-derive a job's draw and check leaves, signatures, verdicts and payouts from chain and artifacts; of a training run, every round's job, that its inputs follow from the round before, and the model. Checks that could not be done are listed, never counted as passed.",
    )
    .argument("<id|run>", "the job's id, or the folder of a training run")
    .option("--rerun", "also compute the sampled tasks of the job again")
    .action(
      action<{ rerun?: boolean }>(async (context, { rerun = false }, [subject = ""]) => {
        const isRun = existsSync(join(subject, "manifest.json"))
        const jobId = isRun ? 0n : parseJobId(subject)
        const { client } = await openReader(context)
        const { signal } = context
        const { ok, checks } = isRun
          ? await verifyRunIn(client, subject, signal)
          : await client.verify(jobId, { rerun, signal })
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

async function verifyRunIn(client: Client, dir: string, signal: AbortSignal): Promise<VerifyJobResult> {
  const { plan } = await openRunFolder(dir)
  const runner = createRunner()
  try {
    return await verifyRun({ client, runner }, { plan, manifest: await readManifest(dir), signal })
  } finally {
    await runner.close()
  }
}
