// Runs the Solidity tests in this process and tells its parent how many passed: the counts are not in the exit code.
import type { Tally } from "../shared/tally.ts"
import { ROOT } from "../shared/version.ts"

process.chdir(ROOT)
const { default: hre } = await import("hardhat")

type Outcome = { value?: { summary?: Tally }; error?: { summary?: Tally } }
const outcome = (await hre.tasks.getTask(["test", "solidity"]).run({})) as Outcome
const summary = outcome.value?.summary ?? outcome.error?.summary
const tally: Tally = summary
  ? { passed: summary.passed, failed: summary.failed, skipped: summary.skipped }
  : { passed: 0, failed: 1, skipped: 0 }
process.send?.(tally)
process.exitCode = tally.failed > 0 || process.exitCode ? 1 : 0
process.disconnect?.()
