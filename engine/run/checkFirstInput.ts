import { readFile } from "node:fs/promises"
import type { Tensor } from "#protocol"
import type { ModelArtifact } from "../backend.ts"
import { engineError } from "../errors.ts"
import { compileProgram } from "../program/compileProgram.ts"
import { traceProgram } from "../program/trace.ts"
import type { Runner } from "./runner.ts"

/**
 * R2: runs a first input alone and with every inner tensor put out, each time in a fresh session, and compares bits. A
 * program whose results depend on what is looked at gets no lease taken for it, so nobody is slashed over it. The file's
 * hash and program must have been checked: it is read here.
 */
export async function checkFirstInput(
  runner: Runner,
  model: ModelArtifact,
  inputs: readonly Tensor[],
): Promise<Tensor[]> {
  await runner.load(model.path, model.sha256, { fresh: true })
  const fast = await runner.run(model.sha256, inputs)
  const bytes = await readFile(model.path)
  const compiled = compileProgram(bytes)
  const traced = await traceProgram({ runner }, bytes, inputs, compiled)
  const names = [...model.outputs.map(({ name }) => name), ...model.digestTensors]
  for (const [i, tensor] of fast.entries()) {
    const wire = compiled.wires.findIndex(({ name }) => name === names[i])
    if (Buffer.compare(tensor.data, traced[wire]!.data) === 0) continue
    throw engineError(
      "E_RUN_NOT_REPRODUCIBLE",
      `the output "${names[i]}" differs between a run by itself and a traced one on the same input`,
      { remedy: "report the model: its job cannot be audited exactly, and taking it could cost collateral" },
    )
  }
  return fast
}
