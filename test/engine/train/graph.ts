import { type AttributeSpec, type NodeSpec, type ValueSpec, writeModel } from "#engine"
import type { Tensor } from "#protocol"

/** Writes a forward graph node by node; names of intermediate tensors are made up. */
export function createGraph() {
  const nodes: NodeSpec[] = []
  const initializers: Record<string, Tensor> = {}
  const named = (name: string, tensor: Tensor): string => {
    initializers[name] = tensor
    return name
  }
  return {
    initializers,
    parameter: named,
    constant: (tensor: Tensor): string => named(`c${Object.keys(initializers).length}`, tensor),
    node: (op: string, inputs: readonly string[], attributes: Record<string, AttributeSpec> = {}): string => {
      const output = `t${nodes.length}`
      nodes.push({ op, name: `${op}_${nodes.length}`, inputs, outputs: [output], attributes })
      return output
    },
    split: (input: string, count: number, axis: number): string[] => {
      const outputs = Array.from({ length: count }, (_, i) => `t${nodes.length}_${i}`)
      nodes.push({ op: "Split", name: `Split_${nodes.length}`, inputs: [input], outputs, attributes: { axis } })
      return outputs
    },
    build: (inputs: readonly ValueSpec[], outputs: readonly ValueSpec[], opset = 17): Uint8Array =>
      writeModel({ name: "forward", nodes, inputs, outputs, initializers, opset }),
  }
}

export type Graph = ReturnType<typeof createGraph>
