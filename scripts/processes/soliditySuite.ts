// Runs the Solidity tests in this process and tells its parent how many passed: the counts are not in the exit code.
import type { Tally } from "../shared/tally.ts"
import { ROOT } from "../shared/version.ts"

process.chdir(ROOT)
const { default: hre } = await import("hardhat")

type Outcome = { success: boolean; value?: { summary?: Tally }; error?: { summary?: Tally } }
// Without an index Hardhat counts nothing: every number of the summary is 0, and a failure does not show in it.
const outcome = (await hre.tasks.getTask(["test", "solidity"]).run({ testSummaryIndex: 1 })) as Outcome
const { passed = 0, failed = 0, skipped = 0 } = (outcome.value ?? outcome.error)?.summary ?? {}
// A run that failed without a failed test, or that ran none, is a failure too.
const broken = (!outcome.success && failed === 0) || passed + failed === 0
const tally: Tally = { passed, failed: broken ? failed + 1 : failed, skipped }
process.send?.(tally)
process.exitCode = tally.failed > 0 || process.exitCode ? 1 : 0
process.disconnect?.()
