import type { Command } from "commander"
import { action } from "./shared/action.ts"
import { ensureCompiled } from "./shared/compile.ts"
import { usageError } from "./shared/errors.ts"
import { runSuite, suiteNames } from "./shared/suites.ts"
import { addTallies, type Tally, tallyLine } from "./shared/tally.ts"

export function configure(command: Command): void {
  command.argument("[suites...]", "some of the suites; all of them when none is named").action(
    action(async ({ out, signal }, _options, names) => {
      const known = suiteNames()
      const unknown = names.find((name) => !known.includes(name))
      if (unknown) throw usageError("E_UNKNOWN_SUITE", `there is no suite '${unknown}': there are ${known.join(", ")}`)
      await ensureCompiled(out.say)
      const results: ({ suite: string; seconds: number } & Tally)[] = []
      for (const suite of known.filter((name) => names.length === 0 || names.includes(name))) {
        if (signal.aborted) break
        out.say(`\n== ${suite}`)
        const started = Date.now()
        const tally = await runSuite(suite, out.json ? process.stderr : process.stdout)
        results.push({ suite, ...tally, seconds: (Date.now() - started) / 1000 })
      }
      const total = addTallies(results)
      out.result({ suites: results, ...total }, () =>
        [
          "",
          ...results.map((each) => `${each.suite.padEnd(12)} ${tallyLine(each)} (${each.seconds.toFixed(1)} s)`),
          tallyLine(total),
        ].join("\n"),
      )
      if (total.failed > 0 || signal.aborted) process.exitCode = 1
    }),
  )
}
