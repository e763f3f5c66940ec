import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"

/**
 * Resident bytes of another process. Asked from outside, since a process inside a native call cannot look after
 * itself, and V8's own limit does not see onnxruntime's memory. Undefined if the process is gone.
 */
export async function residentBytes(pid: number): Promise<number | undefined> {
  try {
    if (process.platform === "linux") {
      const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
      return kib ? Number(kib) * 1024 : undefined
    }
    if (process.platform === "win32") {
      const { stdout } = await run("tasklist", ["/FI", `PID eq ${pid}`, "/FO", "CSV", "/NH"])
      const kib = /"([\d.,\s]+) K"/.exec(stdout)?.[1]?.replace(/\D/g, "")
      return kib ? Number(kib) * 1024 : undefined
    }
    const { stdout } = await run("ps", ["-o", "rss=", "-p", String(pid)])
    return Number(stdout.trim()) * 1024
  } catch {
    return undefined // it ended between two looks; its exit event says why
  }
}

/** How often to look: reading /proc costs microseconds, starting `ps` or `tasklist` milliseconds. */
export const WATCH_INTERVAL_MS = process.platform === "linux" ? 25 : process.platform === "win32" ? 2_000 : 250

const run = promisify(execFile)
