import type { Tensor } from "#protocol"
import { DIGEST_METADATA_KEY } from "../model/modelInterface.ts"
import { type NodeSpec, type ValueSpec, writeModel } from "../onnx/writeModel.ts"
import type { Builder, Value } from "./builder.ts"
import { PROGRAM_IR_VERSION, PROGRAM_OPSET } from "./compileProgram.ts"
import { inOrder } from "./simplify.ts"

/** The file: what the outputs need, in the order in which it was built, constants where they are first read. */
export function writeProgram(
  builder: Builder,
  inputs: readonly ValueSpec[],
  results: readonly (readonly [string, Value])[],
  digestTensors: readonly string[],
  graphName: string,
): Uint8Array {
  const taken = new Set([...inputs.map(({ name }) => name), ...results.map(([name]) => name)])
  const names = new Map<Value, string>()
  const outputs: ValueSpec[] = []
  for (const [name, value] of results) {
    // An output is what an operation puts out, under one name.
    builder.label(name)
    const own = value.node && !names.has(value) ? value : builder.copy(value)
    names.set(own, name)
    outputs.push({ name, dtype: own.dtype, dims: own.dims })
  }
  const needed = inOrder([...names.keys()])
  const fresh = (prefix: string, i: number): string => {
    let name = `${prefix}${i}`
    while (taken.has(name)) name = `_${name}`
    taken.add(name)
    return name
  }
  const initializers: Record<string, Tensor> = {}
  const nodes: NodeSpec[] = []
  let [wire, constants] = [inputs.length, 0]
  for (const value of needed) {
    if (value.input !== undefined) names.set(value, value.input)
    if (value.constant) {
      const name = fresh("c", constants++)
      names.set(value, name)
      initializers[name] = value.constant
    }
    if (!value.node) continue
    if (!names.has(value)) names.set(value, fresh("w", wire))
    const { op, attributes, label } = value.node
    nodes.push({
      op,
      name: `${label}/${wire++}`,
      inputs: value.node.inputs.map((read) => names.get(read)!),
      outputs: [names.get(value)!],
      attributes,
    })
  }
  return writeModel({
    name: graphName,
    nodes,
    inputs,
    outputs,
    initializers,
    opset: PROGRAM_OPSET,
    irVersion: PROGRAM_IR_VERSION,
    metadata: { [DIGEST_METADATA_KEY]: JSON.stringify(digestTensors) },
  })
}
