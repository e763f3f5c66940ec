import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { workerError } from "../errors.ts"

export type Lock = { release(): Promise<void> }

/** Held by this very process: a file that names our process id without being here is a dead namesake's. */
const held = new Set<string>()

/**
 * One worker a key: two with one key would sign two receipts for one lease, send the same nonce twice, and both lose.
 * The file holds the owner's process id; one that is left behind by a crash is taken over.
 */
export async function takeLock(path: string): Promise<Lock> {
  await mkdir(dirname(path), { recursive: true })
  for (let attempt = 0; attempt < 2; attempt++) {
    if (await claim(path)) {
      held.add(path)
      return { release: () => releaseLock(path) }
    }
    const pid = await ownerOf(path)
    if (pid !== undefined && (pid === process.pid ? held.has(path) : isAlive(pid))) {
      throw workerError("E_WORKER_TWICE", `another worker (process ${pid}) runs with this key in ${dirname(path)}`, {
        remedy: "stop it first, or start this one with another key or another home",
        facts: { pid },
      })
    }
    await unlink(path).catch(ignoreMissing)
  }
  throw workerError("E_WORKER_TWICE", `another worker took ${path} at the same moment`)
}

/** A link, not a write: the name appears together with its content, so nobody ever reads a half-written owner. */
async function claim(path: string): Promise<boolean> {
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await writeFile(temporary, String(process.pid), { mode: 0o600 })
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    return false
  } finally {
    await unlink(temporary)
  }
}

async function ownerOf(path: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch(ignoreMissing)
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

async function releaseLock(path: string): Promise<void> {
  held.delete(path)
  if ((await ownerOf(path)) === process.pid) await unlink(path).catch(ignoreMissing)
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  return undefined
}
