import { type Hex, zeroHash } from "viem"
import { dtypeOfOnnxNumber, elementCount, inputCommitment, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { readModel } from "../onnx/readModel.ts"
import { writeModel } from "../onnx/writeModel.ts"
import { attributesOf } from "../program/compileProgram.ts"
import { int64s, newElements, tensorOf } from "../program/elements.ts"
import type { Segment } from "./buildStep.ts"
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

/** The model with other values in the named initializers, as float32 of the same shapes. */
export function withParameters(model: Uint8Array, parameters: readonly Parameter[], p: Tensor): Uint8Array {
  const { graph, opsets, irVersion, metadata } = readModel(model)
  const learned = unpackTensors(parameters, p)
  for (const { name, dims } of parameters) {
    const place = graph.initializers.find((other) => other.name === name)
    if (!place || elementCount(place.dims) !== elementCount(dims))
      throw engineError("E_TRAIN_NAME", `the model has no initializer "${name}" of shape [${dims}]`, {
        remedy: "give the model that was trained, or one with the same parameters",
        input: name,
      })
  }
  const values = (list: typeof graph.inputs) =>
    list.map(({ name, elementType, dims }) => ({ name, dtype: dtypeOfOnnxNumber(elementType)!, dims: dims ?? [] }))
  return writeModel({
    name: graph.name,
    nodes: graph.nodes.map((node) => ({ ...node, attributes: attributesOf(node.attributes) })),
    inputs: values(graph.inputs),
    outputs: values(graph.outputs),
    initializers: Object.fromEntries(
      graph.initializers.map((initializer) => [initializer.name, learned.get(initializer.name) ?? initializer.read()]),
    ),
    opset: opsets.find(({ domain }) => domain === "")?.version,
    irVersion,
    metadata: Object.fromEntries(metadata),
  })
}
