import { PassThrough } from "node:stream"
import type { Command } from "commander"
import { action } from "./shared/action.ts"
import { ensureCompiled } from "./shared/compile.ts"
import { usageError } from "./shared/errors.ts"
import { lanesOf, runSuite, type SuiteName, suiteNames } from "./shared/suites.ts"
import { addTallies, type Tally, tallyLine } from "./shared/tally.ts"

export function configure(command: Command): void {
  command.argument("[suites...]", "some of the suites; all of them when none is named").action(
    action(async ({ out, signal }, _options, names) => {
      const known = suiteNames()
      const unknown = names.find((name) => !known.includes(name))
      if (unknown) throw usageError("E_UNKNOWN_SUITE", `there is no suite '${unknown}': there are ${known.join(", ")}`)
      await ensureCompiled(out.say)
      const output = out.json ? process.stderr : process.stdout
      const suites = known.filter((name) => names.length === 0 || names.includes(name))
      const kept = new Map(suites.map((suite) => [suite, new PassThrough()]))
      const running = Promise.all(lanesOf(suites).map((lane) => runLane(lane, kept, signal)))
      // Side by side they run, but one after the other they are read.
      for (const [suite, text] of kept) {
        out.say(`\n== ${suite}`)
        for await (const piece of text) output.write(piece)
      }
      const results = (await running).flat()
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

type Result = { suite: SuiteName; seconds: number } & Tally

async function runLane(
  lane: readonly SuiteName[],
  outputs: ReadonlyMap<SuiteName, PassThrough>,
  signal: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = []
  for (const suite of lane) {
    const output = outputs.get(suite)!
    const started = Date.now()
    if (!signal.aborted) {
      const tally = await runSuite(suite, output).catch((error: Error): Tally => {
        output.write(`${error.message}\n`)
        return { passed: 0, failed: 1, skipped: 0 }
      })
      results.push({ suite, ...tally, seconds: (Date.now() - started) / 1000 })
    }
    output.end()
  }
  return results
}
