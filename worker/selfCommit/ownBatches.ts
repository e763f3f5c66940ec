import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { AttestationSchema, BatchIdSchema, BatchSchema, Bytes32Schema, SignedVerdictSchema } from "#protocol"
import { workerError } from "../errors.ts"
import { writeDurably } from "../support/files.ts"

/** A batch that this worker committed for itself, and what its audit has brought so far. */
export const OwnBatchSchema = z.object({
  batchId: BatchIdSchema,
  batch: BatchSchema,
  dataHash: Bytes32Schema,
  verdicts: z.array(SignedVerdictSchema),
  attestation: AttestationSchema.optional(),
})
export type OwnBatch = z.output<typeof OwnBatchSchema>

/** On disk, since a verdict is given once and the attestation needs them all. */
export type OwnBatches = {
  get(batchId: bigint): OwnBatch | undefined
  all(): OwnBatch[]
  put(batch: OwnBatch): Promise<void>
  remove(batchId: bigint): Promise<void>
}

export async function openOwnBatches(folder: string): Promise<OwnBatches> {
  const batches = new Map<bigint, OwnBatch>()
  const pathOf = (batchId: bigint) => join(folder, `${batchId.toString(16)}.json`)
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".json")) continue
    const batch = await readOwnBatch(join(folder, name))
    batches.set(batch.batchId, batch)
  }
  return {
    get: (batchId) => batches.get(batchId),
    all: () => [...batches.values()],
    async put(batch) {
      batches.set(batch.batchId, batch)
      await writeDurably(pathOf(batch.batchId), JSON.stringify(z.encode(OwnBatchSchema, batch)))
    },
    async remove(batchId) {
      batches.delete(batchId)
      await rm(pathOf(batchId), { force: true })
    },
  }
}

async function readOwnBatch(path: string): Promise<OwnBatch> {
  try {
    return OwnBatchSchema.parse(JSON.parse(await readFile(path, "utf8")))
  } catch (cause) {
    throw workerError("E_JOURNAL_CORRUPT", `${path} is damaged`, {
      remedy: "move the file away: its verdicts are asked for again",
      cause,
    })
  }
}
