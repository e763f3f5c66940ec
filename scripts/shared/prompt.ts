import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import { CliError } from "./errors.ts"

/** Asks on the terminal; without one, an error that says which flag would have answered. */
export async function ask(
  question: string,
  { hidden = false, instead }: { hidden?: boolean; instead: string },
): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new CliError("E_NO_TERMINAL", `'${question.trim()}' cannot be asked without a terminal: ${instead}`, {
      usage: true,
    })
  }
  process.stderr.write(question)
  const echo = hidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
  const lines = createInterface({ input: process.stdin, output: echo, terminal: hidden })
  try {
    return await lines.question("")
  } finally {
    lines.close()
    if (hidden) process.stderr.write("\n")
  }
}

export async function confirm(question: string, { yes }: { yes: boolean }): Promise<void> {
  if (yes) return
  const answer = await ask(`${question} [y/N] `, { instead: "give --yes" })
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("E_DECLINED", "nothing was sent: you did not say yes")
}
