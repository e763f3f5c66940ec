import { type Hex, zeroHash } from "viem"
import { inputCommitment, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { readModel } from "../onnx/readModel.ts"
import { writeModel } from "../onnx/writeModel.ts"
import { int64s, newElements, tensorOf } from "../program/elements.ts"
import { sameDims } from "../program/values.ts"
import type { Segment } from "./buildStep.ts"
import { modelSpec } from "./modelSpec.ts"
import { type Parameter, packTensors, unpackTensors } from "./parameters.ts"

/** A training's state: tensors in the order of `Segment.state`. */
export type TrainingState = readonly Tensor[]

/** Before the first step of stream `slot`: the model's own weights, moments 0, no step done. */
export function initialState({ parameters, state }: Segment, model: Uint8Array, slot = 0): TrainingState {
  const { graph } = readModel(model)
  const read = (name: string): Tensor => {
    const initializer = graph.initializers.find((other) => other.name === name)
    if (!initializer)
      throw engineError("E_TRAIN_NAME", `the model has no initializer "${name}"`, {
        remedy: "start from the model that the step was built of",
        input: name,
      })
    return initializer.read()
  }
  return state.map(({ name, dtype, dims }) => {
    if (name === "p") return packTensors(parameters, read)
    if (name === "slot") return int64s([slot])
    return tensorOf(dtype, dims as number[], newElements(dtype, dims as number[]))
  })
}

/** One hash of the whole state: what a round of training commits to, and what its next segment starts from. */
export function stateCommitment(state: TrainingState): Hex {
  return inputCommitment(zeroHash, state)
}

/** The model with trained values in the named initializers. Throws E_TRAIN_NAME where it lacks one of that shape. */
export function withParameters(model: Uint8Array, parameters: readonly Parameter[], p: Tensor): Uint8Array {
  const spec = modelSpec(readModel(model))
  const learned = unpackTensors(parameters, p)
  for (const { name, dims } of parameters)
    if (!sameDims(spec.initializers?.[name]?.dims ?? [-1], dims))
      throw engineError("E_TRAIN_NAME", `the model has no initializer "${name}" of shape [${dims}]`, {
        remedy: "give the model that was trained, or one with the same parameters",
        input: name,
      })
  return writeModel({ ...spec, initializers: { ...spec.initializers, ...Object.fromEntries(learned) } })
}
