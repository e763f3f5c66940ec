import type { Command } from "commander"
import { z } from "zod"
import type { WhySubject } from "#client"
import { type Why, WhySchema } from "#protocol"
import { action } from "./shared/action.ts"
import { usageError } from "./shared/errors.ts"
import { openReader } from "./shared/openClient.ts"
import { parseAddress, parseJobId, parseTask } from "./shared/parse.ts"

export function configure(command: Command): void {
  command
    .argument("<kind>", "job, task or worker")
    .argument("<subject>", "a job's id, ID/INDEX for a task, or a worker's address")
    .action(
      action(async (context, _options, [kind = "", subject = ""]) => {
        const asked = parseSubject(kind, subject)
        const { client } = await openReader(context)
        const why = await client.why(asked)
        context.out.result(z.encode(WhySchema, why), () => describeWhy(why))
      }),
    )
}

export function parseSubject(kind: string, subject: string): WhySubject {
  if (kind === "job") return { kind, jobId: parseJobId(subject) }
  if (kind === "worker") return { kind, account: parseAddress(subject) }
  if (kind !== "task") throw usageError("E_USAGE", `'${kind}' cannot be asked about: give job, task or worker`)
  return { kind, ...parseTask(subject) }
}

function describeWhy({ subject, state, code, reason, rule, events }: Why): string {
  return [
    `${subject}: ${state}`,
    `${reason} (${code}${rule ? `, rule ${rule}` : ""})`,
    ...events.map(({ at, code: what, text, tx }) => `  ${at}  ${what.padEnd(22)} ${text}${tx ? `  ${tx}` : ""}`),
  ].join("\n")
}
