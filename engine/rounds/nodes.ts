import type { Tensor } from "#protocol"
import type { AttributeSpec, NodeSpec } from "../onnx/writeModel.ts"
import { floats, int64s } from "../program/elements.ts"

/** Collects the nodes of a graph that is written by hand; every value is its ONNX name. */
export type Nodes = {
  readonly nodes: readonly NodeSpec[]
  readonly initializers: Readonly<Record<string, Tensor>>
  /** One node with one result. */
  op(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, AttributeSpec>>): string
  /** Gives a value a name that callers know: an output of the graph. */
  name(value: string, name: string): void
  constant(tensor: Tensor): string
  number(value: number): string
  ints(values: readonly number[]): string
  reshape(value: string, dims: readonly number[]): string
  /** Elements from, from + step, ... below to, of one axis. */
  slice(
    value: string,
    range: { readonly axis: number; readonly from: number; readonly to: number; readonly step?: number },
  ): string
}

/** @param prefix starts every name, so that graphs made apart can stand in one file */
export function createNodes(prefix: string): Nodes {
  const nodes: NodeSpec[] = []
  const initializers: Record<string, Tensor> = {}
  const known = new Map<string, string>()

  const fresh = () => `${prefix}.${nodes.length}`

  function op(kind: string, inputs: readonly string[], attributes?: Readonly<Record<string, AttributeSpec>>): string {
    const output = fresh()
    nodes.push({ op: kind, inputs, outputs: [output], name: output, ...(attributes ? { attributes } : {}) })
    return output
  }
  function constant(tensor: Tensor): string {
    const key = `${tensor.dtype} ${tensor.dims} ${Buffer.from(tensor.data).toString("base64")}`
    const name = known.get(key) ?? `${prefix}.c${known.size}`
    known.set(key, name)
    initializers[name] = tensor
    return name
  }
  const ints = (values: readonly number[]) => constant(int64s(values))
  return {
    nodes,
    initializers,
    op,
    constant,
    ints,
    name: (value, name) => void nodes.push({ op: "Identity", inputs: [value], outputs: [name], name }),
    number: (value) => constant(floats([], [value])),
    reshape: (value, dims) => op("Reshape", [value, ints(dims)]),
    slice: (value, { axis, from, to, step = 1 }) =>
      op("Slice", [value, ints([from]), ints([to]), ints([axis]), ints([step])]),
  }
}
