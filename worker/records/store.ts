import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Hex } from "viem"
import { z } from "zod"
import { workerError } from "../errors.ts"
import { writeDurably } from "../support/files.ts"
import { hasEnded, type LeaseRecord, RecordSchema, recordHash } from "./record.ts"

/** Our leases on disk, a file each, and in memory; an ended one leaves both. */
export type RecordStore = {
  get(leaseHash: Hex): LeaseRecord | undefined
  all(): LeaseRecord[]
  /** Resolves once the disk has it. */
  put(record: LeaseRecord): Promise<void>
  /** Runs for every change, with what was there before. */
  onChange(listener: (record: LeaseRecord, before: LeaseRecord | undefined) => void): void
}

export async function openRecords(folder: string): Promise<RecordStore> {
  const records = new Map<Hex, LeaseRecord>()
  const listeners: Parameters<RecordStore["onChange"]>[0][] = []
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".json")) continue
    const record = await readRecord(join(folder, name))
    records.set(recordHash(record), record)
  }

  return {
    get: (leaseHash) => records.get(leaseHash),
    all: () => [...records.values()],
    async put(record) {
      const leaseHash = recordHash(record)
      const before = records.get(leaseHash)
      const path = join(folder, `${leaseHash}.json`)
      if (hasEnded(record)) {
        records.delete(leaseHash)
        await rm(path, { force: true })
      } else {
        records.set(leaseHash, record)
        await writeDurably(path, JSON.stringify(z.encode(RecordSchema, record)))
      }
      for (const listener of listeners) listener(record, before)
    },
    onChange: (listener) => {
      listeners.push(listener)
    },
  }
}

async function readRecord(path: string): Promise<LeaseRecord> {
  try {
    return RecordSchema.parse(JSON.parse(await readFile(path, "utf8")))
  } catch (cause) {
    throw workerError("E_JOURNAL_CORRUPT", `${path} is damaged`, {
      remedy: "move the file away: the worker goes on without that lease",
      cause,
    })
  }
}
