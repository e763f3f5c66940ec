import { readModelInterface } from "../model/modelInterface.ts"
import { readModel } from "../onnx/readModel.ts"
import type { ValueSpec } from "../onnx/writeModel.ts"
import { createBuilder, type Value } from "../program/builder.ts"
import { attributesOf } from "../program/compileProgram.ts"

/** A program as a graph that can be rewritten. */
export type ProgramGraph = {
  readonly name: string
  readonly inputs: readonly ValueSpec[]
  /** What the program puts out, digest tensors included, in its order. */
  readonly results: readonly (readonly [string, Value])[]
  readonly digestTensors: readonly string[]
  /** The wire that each value is, by its name in the file. */
  readonly names: ReadonlyMap<Value, string>
}

export function readProgram(bytes: Uint8Array): ProgramGraph {
  const { graph } = readModel(bytes)
  const { inputs, digestTensors } = readModelInterface(bytes)
  const builder = createBuilder()
  const values = new Map<string, Value>()
  const names = new Map<Value, string>()
  for (const { name, dtype, dims } of inputs) values.set(name, builder.input(name, dtype, dims))
  for (const [name, value] of values) names.set(value, name)
  for (const initializer of graph.initializers) values.set(initializer.name, builder.constant(initializer.read()))
  for (const node of graph.nodes) {
    // Programs number what they are made of.
    builder.label(node.name.replace(/\/\d+$/, ""))
    const read = node.inputs.map((name) => values.get(name)!)
    const value = builder.emit(node.op, read, attributesOf(node.attributes))
    values.set(node.outputs[0]!, value)
    if (!names.has(value)) names.set(value, node.outputs[0]!)
  }
  const results = graph.outputs.map(({ name }) => [name, values.get(name)!] as const)
  return { name: graph.name, inputs, results, digestTensors: digestTensors.map(({ name }) => name), names }
}
