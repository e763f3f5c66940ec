import { PassThrough } from "node:stream"
import type { Command } from "commander"
import { action } from "./shared/action.ts"
import { compileTests, ensureCompiled } from "./shared/compile.ts"
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
      const output = out.json ? process.stderr : process.stdout
      for (const group of sideBySide(known.filter((name) => names.length === 0 || names.includes(name)))) {
        if (signal.aborted) break
        if (group.includes("contracts")) await compileTests(out.say)
        const kept = group.map(() => new PassThrough())
        const running = group.map(async (suite, i) => {
          const started = Date.now()
          const tally = await runSuite(suite, kept[i]!).finally(() => kept[i]!.end())
          return { suite, ...tally, seconds: (Date.now() - started) / 1000 }
        })
        // Side by side they run, but one after the other they are read.
        for (const [i, suite] of group.entries()) {
          out.say(`\n== ${suite}`)
          for await (const text of kept[i]!) output.write(text)
        }
        results.push(...(await Promise.all(running)))
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

/** End-to-end tests wait for clocks most of the time; the Solidity tests keep one core busy meanwhile. */
function sideBySide(suites: readonly string[]): string[][] {
  const isOfPair = (suite: string) => suite === "e2e" || suite === "contracts"
  const pair = suites.filter(isOfPair)
  const alone = suites.filter((suite) => !isOfPair(suite)).map((suite) => [suite])
  return pair.length === 0 ? alone : [...alone, pair]
}
