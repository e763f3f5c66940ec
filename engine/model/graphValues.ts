import { dtypeOfOnnxNumber } from "#protocol"
import type { OnnxModel, OnnxNode } from "../onnx/types.ts"
import { requiredInputs } from "./modelInterface.ts"
import type { InnerValue, InnerValues } from "./probeShapes.ts"

/** A graph with everything known about its values, for passes that only read. */
export type GraphValues = {
  readonly nodes: readonly OnnxNode[]
  readonly inputs: ReadonlySet<string>
  readonly outputs: readonly string[]
  readonly producers: ReadonlyMap<string, { readonly node: OnnxNode; readonly position: number }>
  readonly info: (name: string) => InnerValue | undefined
}

export function graphValues(model: OnnxModel, inner: InnerValues): GraphValues {
  const { graph } = model
  const known = new Map<string, InnerValue>(inner)
  for (const { name, elementType, dims } of graph.initializers)
    known.set(name, { dtype: dtypeOfOnnxNumber(elementType), dims })
  for (const { name, elementType, dims } of requiredInputs(model))
    known.set(name, {
      dtype: dtypeOfOnnxNumber(elementType),
      dims: dims?.every((dim) => typeof dim === "number") ? (dims as number[]) : undefined,
    })
  const producers = new Map<string, { node: OnnxNode; position: number }>()
  graph.nodes.forEach((node, position) => {
    for (const name of node.outputs) if (name !== "") producers.set(name, { node, position })
  })
  return {
    nodes: graph.nodes,
    inputs: new Set(requiredInputs(model).map(({ name }) => name)),
    outputs: graph.outputs.map(({ name }) => name),
    producers,
    info: (name) => known.get(name),
  }
}
