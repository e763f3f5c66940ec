import type { Tensor } from "#protocol"
import type { ModelArtifact } from "../backend.ts"
import { engineError } from "../errors.ts"
import type { Runner } from "./runner.ts"

/**
 * R2, version 0: runs a first input twice, each time in a fresh session, and compares bits. A model that is not a
 * function of its input on this machine gets no lease taken for it, so nobody is slashed over it.
 */
export async function checkFirstInput(
  runner: Runner,
  model: ModelArtifact,
  inputs: readonly Tensor[],
): Promise<Tensor[]> {
  await runner.load(model.path, model.sha256, { fresh: true })
  const first = await runner.run(model.sha256, inputs)
  await runner.load(model.path, model.sha256, { fresh: true })
  const second = await runner.run(model.sha256, inputs)
  const names = [...model.outputs.map(({ name }) => name), ...model.digestTensors]
  for (const [i, tensor] of first.entries())
    if (Buffer.compare(tensor.data, second[i]!.data) !== 0)
      throw engineError(
        "E_RUN_NOT_REPRODUCIBLE",
        `the output "${names[i]}" differs between two runs on the same input`,
        {
          remedy: "report the model: its job cannot be audited exactly, and taking it could cost collateral",
        },
      )
  return first
}
