import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Hex } from "viem"
import { corrupt } from "../artifacts/artifactErrors.ts"
import { refuse } from "../errors.ts"
import type { InspectedModel, InspectReply } from "./inspectChild.ts"

export type InspectModelFile = (file: { path: string; sha256: Hex }) => Promise<InspectedModel>

const CHILD = fileURLToPath(new URL("./inspectChild.ts", import.meta.url))
const ENVIRONMENT = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR"]

const MOST_KNOWN = 1_000

export type CreateInspectorParams = { timeoutMs?: number; heapMiB?: number; parallel?: number }

/**
 * Reads models in child processes with a time and a memory limit. Few at once: a submission is rare and a model may
 * be large, and whoever sends a hundred of them must not have the whole machine.
 */
export function createInspector({
  timeoutMs = 60_000,
  heapMiB = 3072,
  parallel = 2,
}: CreateInspectorParams = {}): InspectModelFile {
  let running = 0
  const waiting: (() => void)[] = []
  const known = new Map<Hex, InspectedModel>()
  return async ({ path, sha256 }) => {
    // A model is its bytes: what was found once holds, and the same model comes with many jobs.
    const found = known.get(sha256)
    if (found) return found
    if (running >= parallel) await new Promise<void>((resolve) => waiting.push(resolve))
    running++
    try {
      const model = await inspectOnce(path, timeoutMs, heapMiB)
      if (model.sha256 !== sha256) {
        throw corrupt(sha256)
      }
      if (known.size >= MOST_KNOWN) known.delete(known.keys().next().value as Hex)
      known.set(sha256, model)
      return model
    } finally {
      running--
      waiting.shift()?.()
    }
  }
}

async function inspectOnce(path: string, timeoutMs: number, heapMiB: number): Promise<InspectedModel> {
  const child = fork(CHILD, [path], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    // No key, password or URL of ours goes into a process that reads a stranger's file.
    env: Object.fromEntries(ENVIRONMENT.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    execArgv: [
      `--max-old-space-size=${heapMiB}`,
      ...process.execArgv.filter((flag) => /strip-types|warning/.test(flag)),
    ],
  })
  const reply = await new Promise<InspectReply>((resolve) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      resolve({ ok: false, code: "E_RUN_TIMEOUT", message: `reading the model took longer than ${timeoutMs / 1000} s` })
    }, timeoutMs)
    child.once("message", (message) => {
      clearTimeout(timer)
      resolve(message as InspectReply)
    })
    child.once("exit", (code, signal) => {
      clearTimeout(timer)
      resolve({
        ok: false,
        code: "E_RUN_CRASHED",
        message: `the process that read the model ended (${signal ?? code})`,
      })
    })
    // A failed start is followed by no exit.
    child.once("error", (error) => {
      clearTimeout(timer)
      resolve({ ok: false, code: "E_RUN_CRASHED", message: `the model could not be read: ${error.message}` })
    })
  })
  if (reply.ok) return reply.inspection
  throw refuse("E_JOB_MODEL", reply.message, { reason: reply.code, ...reply.details })
}
