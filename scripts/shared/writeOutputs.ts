import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { TaskOutput } from "#client"
import { encodeNpy } from "#engine"
import { formatBatchId } from "#protocol"

export type WrittenOutput = {
  index: number
  worker: string
  batchId: string | null
  state: string
  outputHash: string
  outputCommitment: string
  files: string[]
}

/** A `.npy` an output beside a manifest that says whose work each is. */
export async function writeOutputs(dir: string, results: readonly TaskOutput[]): Promise<WrittenOutput[]> {
  await mkdir(dir, { recursive: true })
  const written: WrittenOutput[] = []
  for (const { index, worker, batchId, state, outputHash, outputCommitment, outputs } of results) {
    const names = Object.keys(outputs)
    const files: string[] = []
    for (const [position, name] of names.entries()) {
      const file = names.length === 1 ? `${index}.npy` : `${index}-${safeName(name, position)}.npy`
      const tensor = outputs[name]
      if (tensor) await writeFile(join(dir, file), encodeNpy(tensor))
      files.push(file)
    }
    written.push({
      index,
      worker,
      batchId: batchId === undefined ? null : formatBatchId(batchId),
      state,
      outputHash,
      outputCommitment,
      files,
    })
  }
  await writeFile(join(dir, "manifest.json"), `${JSON.stringify(written, null, 2)}\n`)
  return written
}

/** An output's name is the model's choice, and a model is anybody's: it must not choose where we write. */
function safeName(name: string, position: number): string {
  const plain = name.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 64)
  return plain === name ? plain : `${plain}_${position}`
}
