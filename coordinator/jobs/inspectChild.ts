import { readFile } from "node:fs/promises"
import type { Hex } from "viem"
import { compileProgram, createRunner, inspectModel, readModelInterface } from "#engine"
import { isCodedError } from "#protocol"

// A process of its own reads the model: what a hostile file makes it do ends with it.
export type InspectReply =
  | { ok: true; inspection: InspectedModel }
  | { ok: false; code: string; message: string; details?: Record<string, unknown> }

export type InspectedModel = {
  sha256: string
  inputs: { name: string; dtype: string; dims: number[] }[]
  outputs: { name: string; dtype: string; dims: number[] }[]
  digestTensors: string[]
  memoryTierGiB: number | undefined
  programRoot: Hex
}

async function inspect(path: string): Promise<InspectReply> {
  const runner = createRunner()
  try {
    const bytes = await readFile(path)
    const { sha256, exact, memoryTierGiB } = await inspectModel({ runner }, bytes)
    const refused = exact.refused[0]
    if (refused) {
      const where = refused.op ? `node ${refused.node} (${refused.op}): ` : "the model: "
      const { code, why, node, op, remedy } = refused
      return { ok: false, code, message: `${where}${why}`, details: { node, op, remedy } }
    }
    const { inputs, outputs, digestTensors } = readModelInterface(bytes)
    const port = ({ name, dtype, dims }: { name: string; dtype: string; dims: readonly number[] }) => ({
      name,
      dtype,
      dims: [...dims],
    })
    return {
      ok: true,
      inspection: {
        sha256,
        inputs: inputs.map(port),
        outputs: outputs.map(port),
        digestTensors: digestTensors.map(({ name }) => name),
        memoryTierGiB,
        programRoot: compileProgram(bytes).root,
      },
    }
  } catch (error) {
    if (!isCodedError(error)) throw error
    const { code, message, remedy, node, op } = error.detail as Record<string, string | undefined> & { code: string }
    return { ok: false, code, message: message ?? code, details: { remedy, node, op } }
  } finally {
    await runner.close()
  }
}

const reply = await inspect(process.argv[2] ?? "")
process.send?.(reply, () => process.disconnect())
