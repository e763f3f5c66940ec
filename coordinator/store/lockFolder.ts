import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { refuse } from "../errors.ts"

/**
 * Keeps a second process out of a data folder: the embedded database has no lock of its own, and two of them on the
 * same files destroy them. A lock whose process is gone (it was killed) counts for nothing.
 */
export function lockFolder(dir: string): () => void {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, "coordinator.lock")
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
    const holder = Number(readFileSync(path, "utf8"))
    if (isAlive(holder)) {
      const message = `${dir} is in use by process ${holder}: stop that coordinator, or use another ASSAY_DATA_DIR`
      throw refuse("E_DATA_DIR_IN_USE", message, { pid: holder })
    }
    rmSync(path, { force: true })
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
