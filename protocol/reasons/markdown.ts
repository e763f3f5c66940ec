import { HTTP_ERRORS } from "./errors.ts"
import { EVENTS } from "./events.ts"
import { REASONS } from "./reasons.ts"

/** The page of codes: made from the tables, so that it cannot lag behind them. */
export function codesMarkdown(): string {
  const reasons = Object.entries(REASONS).map(([code, { rule, text }]) => `| \`${code}\` | ${rule} | ${text} |`)
  const events = Object.entries(EVENTS).map(([code, { rule, text }]) => `| \`${code}\` | ${rule} | ${text} |`)
  const errors = Object.entries(HTTP_ERRORS).map(
    ([code, { status, remedy }]) => `| \`${code}\` | ${status} | ${remedy} |`,
  )
  return [
    "# Codes",
    "",
    "Made by `node protocol/reasons/generate.ts`. Codes are a contract with users' scripts: they are added to, never renamed.",
    "",
    "## Reasons: what `assay why` answers",
    "",
    "| code | rule | meaning |",
    "|---|---|---|",
    ...reasons,
    "",
    "## Events: what the story of `assay why` is made of, beside those codes",
    "",
    "| code | rule | meaning |",
    "|---|---|---|",
    ...events,
    "",
    "## Errors of the HTTP API",
    "",
    "| code | status | what to do |",
    "|---|---|---|",
    ...errors,
    "",
  ].join("\n")
}
