import { elementCount, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import type { OnnxModel, OnnxNode } from "../onnx/types.ts"
import type { Value } from "../program/builder.ts"
import { elementsOf, floats, tensorOf } from "../program/elements.ts"
import type { Ops } from "../program/ops.ts"

/** Where a parameter stands in the flat vector `p`: elements `offset` and on, row-major. */
export type Parameter = {
  readonly name: string
  readonly dims: readonly number[]
  readonly offset: number
}

/** Operators whose inputs at these places are weights. */
const WEIGHTS: Readonly<Record<string, readonly number[]>> = {
  MatMul: [0, 1],
  Gemm: [0, 1, 2],
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gather: [0],
  LayerNormalization: [1, 2],
  SimplifiedLayerNormalization: [1],
  RMSNormalization: [1],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  // The running mean and variance are statistics, not weights.
  BatchNormalization: [1, 2],
  PRelu: [1],
}
/** Biases and gains that stand by themselves; numbers beyond this one belong to masks. */
const LARGEST = 1e4

/**
 * The initializers that a fine-tuning of everything learns, in the order of the file: weights by where operators read
 * them, and vectors that are added or multiplied. Whatever else is to be learned (positions, say) is named by the caller.
 */
export function trainableParameters({ graph }: Pick<OnnxModel, "graph">): string[] {
  const found = new Set(graph.nodes.flatMap(weightsOf))
  return graph.initializers
    .filter(({ name, elementType, dims, read }) => {
      if (elementType !== 1 || elementCount(dims) === 0) return false
      if (found.has(`weight ${name}`)) return true
      if (!found.has(`vector ${name}`) || dims.filter((dim) => dim > 1).length !== 1) return false
      return (elementsOf(read()) as Float32Array).every((value) => Math.abs(value) < LARGEST)
    })
    .map(({ name }) => name)
}

function weightsOf({ op, inputs }: OnnxNode): string[] {
  if (op === "Add" || op === "Mul" || op === "Sub") return inputs.map((name) => `vector ${name}`)
  return (WEIGHTS[op] ?? []).flatMap((at) => (inputs[at] ? [`weight ${inputs[at]}`] : []))
}

/** Lays the named initializers out one after another. Throws E_TRAIN_NAME for one that is no float32 initializer. */
export function layOut({ graph }: Pick<OnnxModel, "graph">, names: readonly string[]): Parameter[] {
  if (names.length === 0 || new Set(names).size !== names.length)
    throw engineError("E_TRAIN_NAME", "there is nothing to learn, or a parameter is named twice", {
      remedy: "name initializers of the model, each once",
    })
  let offset = 0
  return names.map((name) => {
    const initializer = graph.initializers.find((other) => other.name === name)
    if (initializer?.elementType !== 1)
      throw engineError("E_TRAIN_NAME", `"${name}" is no float32 initializer of the model`, {
        remedy: "name initializers of type float32 as parameters",
        input: name,
      })
    const { dims } = initializer
    offset += elementCount(dims)
    return { name, dims, offset: offset - elementCount(dims) }
  })
}

export function parameterCount(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { dims }) => sum + elementCount(dims), 0)
}

/** Each parameter's part of the flat vector, [size]: the leaves of differentiation. */
export function partsOf(o: Ops, p: Value, parameters: readonly Parameter[]): Value[] {
  return parameters.map(({ dims, offset }) => o.range(p, 0, offset, offset + elementCount(dims)))
}

/** The flat vector out of tensors in layout order. */
export function packTensors(parameters: readonly Parameter[], read: (name: string) => Tensor): Tensor {
  const flat = new Float32Array(parameterCount(parameters))
  for (const { name, offset } of parameters) flat.set(elementsOf(read(name)) as Float32Array, offset)
  return tensorOf("float32", [flat.length], flat)
}

/** The inverse of `packTensors`, by name. Throws E_TRAIN_SHAPE where `p` is of another length or type. */
export function unpackTensors(parameters: readonly Parameter[], p: Tensor): Map<string, Tensor> {
  const count = parameterCount(parameters)
  if (p.dtype !== "float32" || elementCount(p.dims) !== count)
    throw engineError("E_TRAIN_SHAPE", `the parameters are ${p.dtype} [${p.dims}], not float32 [${count}]`, {
      remedy: "take the p of a state of this training",
    })
  const flat = elementsOf(p) as Float32Array
  return new Map(
    parameters.map(({ name, dims, offset }) => [
      name,
      floats(dims, flat.subarray(offset, offset + elementCount(dims))),
    ]),
  )
}
