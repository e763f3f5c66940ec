import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type EngineError, engineError } from "../errors.ts"
import { residentBytes, WATCH_INTERVAL_MS } from "./memory.ts"
import type { ChildSettings, Reply, Request } from "./messages.ts"

export type ChildHandle = {
  send(request: Request): void
  /** Ends the process at once; `why` is what `onEnd` will be told. */
  kill(why: EngineError): void
  /** Whether the process keeps its parent's event loop alive. */
  ref(): void
  unref(): void
  readonly exited: Promise<void>
}

export type StartChildParams = { readonly settings: ChildSettings; readonly memoryBytes: number }
export type ChildEvents = { readonly onReply: (reply: Reply) => void; readonly onEnd: (why: EngineError) => void }

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url))
/** Models choose what onnxruntime prints: keep the end of it for an error's cause, no more. */
const STDERR_KEPT = 2_000

/** What a native library needs to find its parts; no key, password or URL of ours is among it. */
const ENVIRONMENT = [
  "PATH",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "SYSTEMROOT",
  "TEMP",
  "TMP",
  "TMPDIR",
  "CUDA_PATH",
  "CUDA_VISIBLE_DEVICES",
]

export function startChild({ settings, memoryBytes }: StartChildParams, { onReply, onEnd }: ChildEvents): ChildHandle {
  const child = fork(CHILD, [JSON.stringify(settings)], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: Object.fromEntries(ENVIRONMENT.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    // Only what Node needs to read TypeScript is inherited: a parent's --test or --inspect is not the child's.
    execArgv: process.execArgv.filter((flag) => /strip-types|disable-warning|no-warnings/.test(flag)),
  })
  let why: EngineError | undefined
  let stderr = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT)
  })
  child.on("message", onReply)
  // A send to a process that has just died: its exit event tells the same story with the reason.
  child.on("error", () => {})

  const kill = (reason: EngineError) => {
    why ??= reason
    child.kill("SIGKILL")
  }
  const watch = setInterval(async () => {
    const used = child.pid ? await residentBytes(child.pid) : undefined
    if (used === undefined || used <= memoryBytes) return
    kill(
      engineError("E_RUN_MEMORY", `the model needed ${mib(used)} MiB; the limit is ${mib(memoryBytes)} MiB`, {
        remedy: "use a worker with more --memory, or make the task smaller",
        facts: { bytes: used, limit: memoryBytes },
      }),
    )
  }, WATCH_INTERVAL_MS)
  watch.unref()

  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      clearInterval(watch)
      onEnd(why ?? crashed(code, signal, stderr))
      resolve()
    })
  })

  return {
    send: (request) => {
      child.send(request)
    },
    kill,
    ref: () => {
      child.ref()
      child.channel?.ref()
    },
    unref: () => {
      child.unref()
      child.channel?.unref()
    },
    exited,
  }
}

function crashed(code: number | null, signal: NodeJS.Signals | null, stderr: string): EngineError {
  const how = signal ? `was ended by ${signal}` : `ended with status ${code}`
  const hint = signal === "SIGKILL" ? " (the system was probably out of memory)" : ""
  return engineError("E_RUN_CRASHED", `the computing process ${how}${hint}`, {
    remedy: "the model may be hostile or too big; nothing else was lost",
    facts: { stderr: printable(stderr) },
  })
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f]/g, " ").trim()
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 ** 2)
}
