import type { JobSubmission, Port } from "#protocol"
import { refuse } from "../errors.ts"
import type { InspectedModel } from "./inspectChild.ts"

/** Holds terms and spec to what the model's file says of itself. */
export function checkModel({ spec, terms }: JobSubmission, model: InspectedModel): void {
  if (model.programRoot !== terms.programRoot) {
    throw refuse("E_JOB_PROGRAM_ROOT", "terms.programRoot is not that of the model's program (R2)", {
      terms: terms.programRoot,
      model: model.programRoot,
    })
  }
  comparePorts("input", spec.model.inputs, model.inputs)
  comparePorts("output", spec.model.outputs, model.outputs)
  const { digestTensors } = spec.model
  if (
    digestTensors.length !== model.digestTensors.length ||
    digestTensors.some((name, i) => name !== model.digestTensors[i])
  ) {
    throw refuse("E_JOB_MODEL", "the spec names other digest tensors than the model's file: prepare the model again", {
      reason: "E_MODEL_DIGEST",
      spec: digestTensors,
      model: model.digestTensors,
    })
  }
  const { memoryGiB } = spec.capability
  if (model.memoryTierGiB !== undefined && model.memoryTierGiB > memoryGiB) {
    throw refuse(
      "E_JOB_CAPABILITY",
      `the model needs the ${model.memoryTierGiB} GiB tier, the job asks for ${memoryGiB} GiB`,
    )
  }
}

function comparePorts(what: string, spec: readonly Port[], model: InspectedModel["inputs"]): void {
  const text = (ports: readonly { name: string; dtype: string; dims: readonly number[] }[]) =>
    ports.map(({ name, dtype, dims }) => `${name} ${dtype}[${dims}]`).join(", ")
  if (text(spec) === text(model)) return
  throw refuse("E_JOB_MODEL", `the spec's ${what}s are not the model's`, {
    reason: "E_MODEL_INTERFACE",
    spec: text(spec).slice(0, 1_000),
    model: text(model).slice(0, 1_000),
  })
}
