import { type FileHandle, mkdir, open, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import type { z } from "zod"
import { workerError } from "../errors.ts"
import { syncFolder, writeDurably } from "../support/files.ts"

/** An append-only file of JSON lines. `append` resolves once the line is on the disk and would outlive a kill -9. */
export type Log<T> = {
  readonly entries: readonly T[]
  append(entry: T): Promise<void>
  close(): Promise<void>
}

export type OpenLogParams<T> = { path: string; schema: z.ZodType<T>; keep: (entry: T) => boolean }

/** Lines that `keep` no longer wants are dropped here, at the start, so the file does not grow for ever. */
export async function openLog<T>({ path, schema, keep }: OpenLogParams<T>): Promise<Log<T>> {
  const all = await readEntries(path, schema)
  const entries = all.filter(keep)
  await mkdir(dirname(path), { recursive: true })
  // Rewriting also repairs a torn last line, which an append would otherwise glue to the next entry.
  await writeDurably(path, entries.map(lineOf).join(""))
  const file = await open(path, "a", 0o600)
  await syncFolder(dirname(path))
  const writer = createWriter(file)
  return { entries, append: (entry) => writer.write(lineOf(entry)), close: () => writer.close() }
}

function lineOf(entry: unknown): string {
  return `${JSON.stringify(entry)}\n`
}

async function readEntries<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return ""
    throw error
  })
  const lines = text.split("\n")
  // What follows the last newline was being written when the process died: nothing was signed on its strength.
  lines.pop()
  return lines.map((line, i) => {
    try {
      return schema.parse(JSON.parse(line))
    } catch (cause) {
      throw workerError("E_JOURNAL_CORRUPT", `line ${i + 1} of ${path} is damaged`, {
        remedy:
          "restore the file from a backup; without it this key might sign one lease twice, so rotate the key first",
        cause,
      })
    }
  })
}

/** Entries that arrive while one flush runs share the next one: a flush costs milliseconds, whatever it carries. */
function createWriter(file: FileHandle) {
  let waiting: { line: string; resolve: () => void; reject: (error: unknown) => void }[] = []
  let running: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        await file.appendFile(group.map(({ line }) => line).join(""))
        await file.datasync()
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    running = undefined
  }

  return {
    write(line: string): Promise<void> {
      return new Promise((resolve, reject) => {
        waiting.push({ line, resolve, reject })
        running ??= drain()
      })
    },
    async close(): Promise<void> {
      await running
      await file.close()
    },
  }
}
