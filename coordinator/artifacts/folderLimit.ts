import { readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"

/** What was touched in this time may be about to be opened. */
const IN_USE_MS = 60_000
/** The folder is listed seldom: each time it is emptied by a little more than it must be. */
const EMPTIED_TO = 0.9

export type FolderLimit = {
  /** Tells of a file that came; when they have become too many, those that were used longest ago go. */
  added(bytes: number): Promise<void>
}

/** Keeps the artifacts in a folder (two hex digits, then the rest of the hash) to about so many bytes. */
export async function openFolderLimit(dir: string, mostBytes: number): Promise<FolderLimit> {
  let held = total(await list(dir))
  let trimming: Promise<void> | undefined

  async function trim(): Promise<void> {
    const files = await list(dir)
    held = total(files)
    const usable = Date.now() - IN_USE_MS
    for (const { path, bytes, usedAt } of files.sort((a, b) => a.usedAt - b.usedAt)) {
      if (held <= mostBytes * EMPTIED_TO || usedAt > usable) break
      await rm(path, { force: true })
      held -= bytes
    }
  }

  return {
    async added(bytes) {
      held += bytes
      if (held <= mostBytes) return
      trimming ??= trim().finally(() => {
        trimming = undefined
      })
      await trimming
    },
  }
}

type File = { readonly path: string; readonly bytes: number; readonly usedAt: number }

async function list(dir: string): Promise<File[]> {
  const files: File[] = []
  for (const folder of await readdir(dir)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue
    for (const name of await readdir(join(dir, folder))) {
      const path = join(dir, folder, name)
      const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
        // Another process emptied the folder.
        if (error.code === "ENOENT") return undefined
        throw error
      })
      if (found) files.push({ path, bytes: found.size, usedAt: found.mtimeMs })
    }
  }
  return files
}

function total(files: readonly File[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}
