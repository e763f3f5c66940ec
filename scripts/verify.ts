import type { Command } from "commander"
import pc from "picocolors"
import { action } from "./shared/action.ts"
import { openReader } from "./shared/openClient.ts"
import { parseJobId } from "./shared/parse.ts"

export function configure(command: Command): void {
  command
    .description(
      "Re-derive a job's draw and check leaves, signatures, verdicts and payouts from chain and artifacts. Checks that could not be done are listed, never counted as passed.",
    )
    .argument("<id>", "the job's id")
    .option("--rerun", "also compute the sampled tasks again")
    .action(
      action<{ rerun?: boolean }>(async (context, { rerun = false }, [id = ""]) => {
        const jobId = parseJobId(id)
        const { client } = await openReader(context)
        const { ok, checks } = await client.verify(jobId, { rerun, signal: context.signal })
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
