import { elementCount } from "#protocol"
import type { Value } from "../program/builder.ts"
import { inOrder } from "../program/simplify.ts"
import type { ProgramGraph } from "./readProgram.ts"

/** A product of activations with constant weights: what can be computed in bytes. */
export type Layer = {
  readonly value: Value
  /** The node of the program, and so of the model. */
  readonly name: string
  readonly op: "MatMul" | "Conv"
  /** The float tensor that enters, and its name in the program. */
  readonly activation: Value
  readonly wire: string
  /** Multiplications for one task. */
  readonly products: number
}

/** Below this a layer's passes over its input and output cost more than bytes save. */
const LEAST = { terms: 16, columns: 8 }

export function layersOf(graph: ProgramGraph): Layer[] {
  const layers: Layer[] = []
  for (const value of inOrder(graph.results.map(([, result]) => result))) {
    const { node } = value
    if (node?.op !== "MatMul" && node?.op !== "Conv") continue
    const [activation, weights] = node.inputs as [Value, Value]
    // Weights that are all one number are a sum or a mean.
    if (!weights.constant || activation.constant || weights.facts.low === weights.facts.high) continue
    const isConv = node.op === "Conv"
    if (!isConv && weights.dims.length !== 2) continue
    const terms = isConv ? elementCount(weights.dims.slice(1)) : weights.dims[0]!
    const columns = isConv ? weights.dims[0]! / (node.attributes.group as number) : weights.dims[1]!
    if (terms < LEAST.terms || columns < LEAST.columns) continue
    layers.push({
      value,
      name: node.label,
      op: node.op,
      activation,
      wire: graph.names.get(activation)!,
      products: elementCount(value.dims) * terms,
    })
  }
  return layers
}
