import { dtypeOfOnnxNumber } from "#protocol"
import { engineError } from "../errors.ts"
import type { OnnxModel, OnnxValueInfo } from "../onnx/types.ts"
import type { ModelSpec, ValueSpec } from "../onnx/writeModel.ts"
import { nodeSpecs } from "../program/compileProgram.ts"

/**
 * A model as our writer takes it, so that it can be written again with something changed.
 * Throws E_TRAIN_OPTION for what the writer does not know: operators of other domains, values without a type.
 */
export function modelSpec({ graph, opsets, irVersion, metadata }: OnnxModel): ModelSpec {
  const foreign = opsets.find(({ domain }) => domain !== "")
  if (foreign)
    throw engineError(
      "E_TRAIN_OPTION",
      `the model uses operators of ${foreign.domain}, which cannot be written again`,
      {
        remedy: "export it with standard operators alone",
      },
    )
  return {
    name: graph.name,
    nodes: nodeSpecs(graph),
    inputs: graph.inputs.map(valueSpec),
    outputs: graph.outputs.map(valueSpec),
    initializers: Object.fromEntries(graph.initializers.map((initializer) => [initializer.name, initializer.read()])),
    opset: opsets[0]?.version,
    irVersion,
    metadata: Object.fromEntries(metadata),
  }
}

function valueSpec({ name, elementType, dims }: OnnxValueInfo): ValueSpec {
  const dtype = dtypeOfOnnxNumber(elementType)
  if (!dtype || !dims)
    throw engineError("E_TRAIN_OPTION", `"${name}" has no type or shape in the file`, {
      remedy: "export the model with its shapes",
    })
  return { name, dtype, dims }
}
