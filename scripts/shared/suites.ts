import { fork } from "node:child_process"
import { existsSync, globSync, readdirSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { run } from "node:test"
import { spec } from "node:test/reporters"
import { compileTests } from "./compile.ts"
import { CliError } from "./errors.ts"
import type { Tally } from "./tally.ts"
import { ROOT } from "./version.ts"

/** What takes seconds stands first and what starts processes last, so that a broken thing is heard of early. */
const first = ["smoke", "protocol"]
const last = ["client", "worker", "e2e"]
/** They compute from beginning to end and wait for nothing: they run beside the others, which wait for clocks. */
const patient = new Set(["smoke", "protocol", "engine", "examples", "contracts"])
const LOW_PRIORITY = ["--import", join(ROOT, "scripts", "processes", "lowPriority.ts")]

export type SuiteName = string

/** Two lines of suites that may run side by side; the first yields the processor to the second. */
export function lanesOf(names: readonly SuiteName[]): SuiteName[][] {
  const lanes = [names.filter((name) => patient.has(name)), names.filter((name) => !patient.has(name))]
  return lanes.filter((lane) => lane.length > 0)
}

export function suiteNames(): SuiteName[] {
  const rooms = readdirSync(join(ROOT, "test"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
  const middle = rooms.filter((room) => !first.includes(room) && !last.includes(room)).sort()
  return [...first, ...middle, ...last].filter((room) =>
    room === "contracts" ? hasSolidity() : testFiles(room).length > 0,
  )
}

export async function runSuite(name: SuiteName, output: NodeJS.WritableStream): Promise<Tally> {
  if (name === "contracts") {
    output.write("compiling the Solidity tests (at first some four minutes)\n")
    await compileTests(LOW_PRIORITY)
    const tallies = [await runSolidity(output)]
    if (testFiles(name).length > 0) tallies.push(await runNodeTests(name, output))
    return tallies.reduce((a, b) => ({
      passed: a.passed + b.passed,
      failed: a.failed + b.failed,
      skipped: a.skipped + b.skipped,
    }))
  }
  return runNodeTests(name, output)
}

function testFiles(room: string): string[] {
  return globSync(`test/${room}/**/*.test.ts`, { cwd: ROOT })
    .sort()
    .map((path) => join(ROOT, path))
}

function hasSolidity(): boolean {
  return existsSync(join(ROOT, "test", "contracts"))
}

async function runNodeTests(room: string, output: NodeJS.WritableStream): Promise<Tally> {
  const files = testFiles(room)
  if (files.length === 0) throw new CliError("E_NO_SUITE", `there are no tests in test/${room}`, { usage: true })
  // Processes of the end-to-end tests measure time: side by side they would measure each other.
  const concurrency = room === "e2e" ? 1 : availableParallelism()
  const stream = run({ files, concurrency, cwd: ROOT, execArgv: patient.has(room) ? LOW_PRIORITY : [] })
  let tally: Tally = { passed: 0, failed: 0, skipped: 0 }
  stream.on("test:summary", ({ file, counts }) => {
    if (file !== undefined) return
    tally = {
      passed: counts.passed,
      failed: counts.tests - counts.passed - counts.skipped - counts.todo,
      skipped: counts.skipped + counts.todo,
    }
  })
  for await (const text of stream.compose(new spec())) output.write(text)
  if (tally.passed + tally.failed + tally.skipped === 0) tally.failed = 1
  return tally
}

function runSolidity(output: NodeJS.WritableStream): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const child = fork(join(ROOT, "scripts", "processes", "soliditySuite.ts"), [], {
      cwd: ROOT,
      execArgv: [...process.execArgv, ...LOW_PRIORITY],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    })
    let tally: Tally | undefined
    child.on("message", (message) => {
      tally = message as Tally
    })
    child.stdout?.pipe(output, { end: false })
    child.stderr?.pipe(process.stderr, { end: false })
    child.once("error", reject)
    child.once("close", (code) => resolve(tally ?? { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 }))
  })
}
