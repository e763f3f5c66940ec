import { type EngineError, engineError } from "../errors.ts"
import { nodeLabel } from "../model/marketRules.ts"
import type { OnnxModel, OnnxNode } from "../onnx/types.ts"
import type { Value } from "../program/builder.ts"
import { PROGRAM_OPSET } from "../program/compileProgram.ts"
import { loweringOf } from "../program/lower/index.ts"
import { LowerRefusal } from "../program/lower/lowering.ts"
import type { Ops } from "../program/ops.ts"
import { NotPrimitive } from "../program/primitive.ts"

/**
 * The forward pass as primitives: what `wanted` tensors of the model are, where `given` stands for its inputs and for
 * the initializers that are learned. Nodes that nothing wanted needs are left out.
 * Throws E_TRAIN_NOT_EXACT, naming node and operator, where an operator has no exact meaning.
 */
export function lowerForward(
  o: Ops,
  { graph, opsets }: OnnxModel,
  given: ReadonlyMap<string, Value>,
  wanted: readonly string[],
): Map<string, Value> {
  const opset = opsets.find(({ domain }) => domain === "")?.version ?? PROGRAM_OPSET
  const values = new Map(given)
  const initializers = new Map(graph.initializers.map((initializer) => [initializer.name, initializer]))
  const lookUp = (name: string, node: OnnxNode): Value => {
    const known = values.get(name)
    if (known) return known
    const initializer = initializers.get(name)
    if (!initializer) throw unknownName(name, `node ${nodeLabel(node)} reads it`)
    const value = o.constant(initializer.read())
    values.set(name, value)
    return value
  }
  for (const node of needed(graph.nodes, wanted)) {
    o.builder.label(nodeLabel(node))
    const inputs = node.inputs.map((name) => (name === "" ? undefined : lookUp(name, node)))
    const results = lowered(o, node, inputs, opset)
    node.outputs.forEach((name, i) => {
      const value = results[i]
      if (name !== "" && value) values.set(name, value)
    })
  }
  for (const name of wanted) if (!values.has(name)) throw unknownName(name, "the loss reads it")
  return values
}

function needed(nodes: readonly OnnxNode[], wanted: readonly string[]): OnnxNode[] {
  const names = new Set(wanted)
  const kept: OnnxNode[] = []
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => name !== "" && names.has(name))) continue
    kept.push(node)
    for (const name of node.inputs) names.add(name)
  }
  return kept.reverse()
}

function lowered(o: Ops, node: OnnxNode, inputs: readonly (Value | undefined)[], opset: number): readonly Value[] {
  const label = nodeLabel(node)
  const refused = (why: string, remedy: string, cause?: unknown): EngineError =>
    engineError("E_TRAIN_NOT_EXACT", `node ${label} (${node.op}) cannot be part of a training step: ${why}`, {
      remedy,
      node: label,
      op: node.op,
      cause,
    })
  const rule = loweringOf(node)
  if (!rule) throw refused("it has no exact meaning yet", "replace it by simpler operators")
  try {
    return rule({ o, node, inputs, opset })
  } catch (error) {
    if (error instanceof LowerRefusal) throw refused(error.message, error.remedy, error)
    if (error instanceof NotPrimitive) throw refused(error.message, "simplify the model around it", error)
    throw error
  }
}

function unknownName(name: string, who: string): EngineError {
  return engineError("E_TRAIN_NAME", `nothing is called "${name}", and ${who}`, {
    remedy: "give the data set a column of that name, or name a tensor of the model",
    input: name,
  })
}
