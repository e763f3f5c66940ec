import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { CliError } from "./errors.ts"

const POLL_MS = 200

/** One holder a path; a lock whose holder died is taken over. */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true })
  const deadline = Date.now() + waitMs
  while (!take(path)) {
    if (Date.now() > deadline)
      throw new CliError("E_BUSY", `${path} is held by process ${holder(path)}: wait for it, or stop it`)
    await sleep(POLL_MS)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    const pid = holder(path)
    if (pid !== undefined && !isAlive(pid)) rmSync(path, { force: true })
    return false
  }
}

function holder(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"))
    // The file is empty for the moment between its making and its writing.
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and another user's.
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
