import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, createWriteStream, existsSync, mkdirSync, openSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { CliError } from "./errors.ts"
import { ROOT } from "./version.ts"

/** A line of `--json` output. Every long-running command says `ready` once it is. */
export type ChildEvent = { event?: string; kind?: string } & Record<string, unknown>

export type Child = {
  readonly name: string
  readonly pid: number
  /** Resolves with the `ready` event, rejects when the process ends before it. */
  readonly ready: Promise<ChildEvent>
  readonly exited: Promise<number>
  isRunning(): boolean
  /** SIGTERM, then SIGKILL for one that does not listen. */
  stop(graceMs?: number): Promise<void>
  kill(signal: NodeJS.Signals): void
}

export type StartChildParams = {
  name: string
  args: readonly string[]
  logPath: string
  env?: Record<string, string | undefined>
  onEvent?: (event: ChildEvent) => void
}

/** What the launcher gives as well; other flags of ours (a test runner's, say) are not for our children. */
export const NODE_FLAGS = ["--disable-warning=ExperimentalWarning"]
const STOP_GRACE_MS = 20_000
/** The slowest start loads onnxruntime and tests itself, on a machine that has other things to do. */
const READY_MS = 120_000

/** Starts one of our own commands as a process of its own, by the Node that runs us. */
export function startChild({ name, args, logPath, env = {}, onEvent }: StartChildParams): Child {
  mkdirSync(dirname(logPath), { recursive: true })
  const log = openSync(logPath, "a")
  const child = spawn(process.execPath, [...NODE_FLAGS, join(ROOT, "scripts", "main.ts"), ...args, "--json"], {
    // The channel carries nothing: its end tells the child that we are gone, however we went.
    stdio: ["ignore", "pipe", log, "ipc"],
    env: { ...process.env, ...env, ASSAY_SUPERVISED: "1" },
  })
  closeSync(log)
  const printed = createWriteStream(logPath, { flags: "a" })
  child.once("close", () => printed.end())
  const exited = new Promise<number>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? (signal ? 128 : 1)))
    child.once("error", () => resolve(1))
  })
  const ready = new Promise<ChildEvent>((resolve, reject) => {
    if (child.stdout) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const event = parseLine(line)
        // What a library or a logger prints there belongs to the log.
        if (!event) return void printed.write(`${line}\n`)
        if (event.event === "ready") resolve(event)
        const error = event.error as { code: string; message: string } | undefined
        if (error) reject(new CliError(error.code, error.message))
        onEvent?.(event)
      })
    }
    const late = setTimeout(
      () =>
        reject(
          new CliError("E_PROCESS_SLOW", `${name} was not ready after ${READY_MS / 1000} s: ${lastLine(logPath)}`),
        ),
      READY_MS,
    )
    void exited.then(() => clearTimeout(late))
    late.unref()
    void exited.then((code) =>
      // The error's own line may still be on its way through the pipe.
      setTimeout(
        () => reject(new CliError("E_PROCESS_ENDED", `${name} ended with status ${code}: ${lastLine(logPath)}`)),
        100,
      ),
    )
  })
  // Whoever waits for it hears of it; nobody waiting is no unhandled rejection.
  ready.catch(() => {})
  return {
    name,
    pid: child.pid ?? 0,
    ready,
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    kill: (signal) => void child.kill(signal),
    stop: (graceMs = STOP_GRACE_MS) => stop(child, exited, graceMs),
  }
}

function parseLine(line: string): ChildEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== "object" || value === null) return undefined
    return "event" in value || "kind" in value || "error" in value ? (value as ChildEvent) : undefined
  } catch {
    return undefined
  }
}

async function stop(child: ChildProcess, exited: Promise<number>, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs)
  await exited
  clearTimeout(timer)
}

function lastLine(path: string): string {
  // The folder of a demo is gone once it is over.
  const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []
  return lines.findLast((line) => line.startsWith("error ")) ?? (lines.at(-1) || undefined) ?? `its log is ${path}`
}
