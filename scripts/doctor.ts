import type { Command } from "commander"
import pc from "picocolors"
import { action } from "./shared/action.ts"
import { type Finding, findings } from "./shared/findings.ts"

export function configure(command: Command): void {
  command.action(
    action(async (context) => {
      const checks = await findings(context)
      context.out.result(checks, () => checks.map(line).join("\n"))
      if (checks.some((check) => check.ok === false)) process.exitCode = 1
    }),
  )
}

function line({ check, ok, detail, remedy }: Finding): string {
  const mark = ok === null ? pc.yellow("–") : ok ? pc.green("ok") : pc.red("no")
  return `${mark.padEnd(2)}  ${check.padEnd(18)} ${detail}${remedy ? `\n    ${" ".repeat(18)} → ${remedy}` : ""}`
}
