import { type Hex, zeroHash } from "viem"
import {
  buildOperationTree,
  type Dtype,
  dtypeOfOnnxNumber,
  type Header,
  type Operand,
  type Operation,
  onnxNumberOf,
  type Program,
  programRootV1,
  type Tensor,
  tensorRoot,
} from "#protocol"
import { EngineError, engineError } from "../errors.ts"
import { nodeLabel } from "../model/marketRules.ts"
import { digestNamesOf } from "../model/modelInterface.ts"
import { readModel } from "../onnx/readModel.ts"
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxValueInfo } from "../onnx/types.ts"
import { type AttributeSpec, type ModelSpec, type NodeSpec, type ValueSpec, writeModel } from "../onnx/writeModel.ts"
import { elementsOf, newElements, tensorOf } from "./elements.ts"
import { anyOf, factsOf, factsOfConstant } from "./facts.ts"
import { NotPrimitive, PROGRAM_TYPES, type Primitive, type PrimitiveOperand, primitiveOf } from "./primitive.ts"
import type { Attributes, ProgramValue } from "./values.ts"

/** The opset and IR version of every program: one meaning an operator, whatever the model was exported with. */
export const PROGRAM_OPSET = 17
export const PROGRAM_IR_VERSION = 8

/** A wire of the program as people and traces know it. */
export type Wire = {
  /** Its name in the ONNX file. */
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** The node that puts it out; undefined for a graph input. */
  readonly node?: { readonly name: string; readonly op: string }
}

export type CompiledProgram = {
  readonly root: Hex
  readonly program: Program
  readonly operations: readonly Operation[]
  /** By tensor root, in the layout in which operands are hashed. */
  readonly constants: ReadonlyMap<Hex, Tensor>
  /** Wire i is what operation i - inputs puts out; the first ones are the inputs. */
  readonly wires: readonly Wire[]
}

/**
 * Reads a program: an ONNX file in normal form. A pure function of the bytes, so that whoever holds the file derives
 * the same root. Throws E_MODEL_NOT_NORMAL, naming node and operator, for any other file.
 */
export function compileProgram(bytes: Uint8Array): CompiledProgram {
  const model = readModel(bytes)
  assertCanonical(bytes, model)
  const { graph } = model
  const wires: Wire[] = []
  const values = new Map<string, ProgramValue>()
  const wireOf = new Map<ProgramValue, number>()
  const define = (name: string, value: ProgramValue) => {
    if (name === "" || values.has(name)) throw notNormal(`the value "${name}" is defined twice, or has no name`)
    values.set(name, value)
  }
  const addWire = (value: ProgramValue, wire: Omit<Wire, "dtype" | "dims">) => {
    wireOf.set(value, wires.length)
    wires.push({ ...wire, dtype: value.dtype, dims: value.dims })
  }

  for (const input of graph.inputs) {
    const { dtype, dims } = staticSpec(input)
    const value = { dtype, dims, facts: anyOf(dtype) }
    define(input.name, value)
    addWire(value, { name: input.name })
  }
  for (const initializer of graph.initializers) {
    const constant = initializer.read()
    define(initializer.name, { dtype: constant.dtype, dims: constant.dims, facts: factsOfConstant(constant), constant })
  }

  const constants = new Map<Hex, Tensor>()
  const roots = { plain: new Map<ProgramValue, Hex>(), swapped: new Map<ProgramValue, Hex>() }
  const operandOf = ({ value, swapped }: PrimitiveOperand): Operand => {
    const wire = wireOf.get(value)
    if (wire !== undefined)
      return { wire, root: zeroHash, dtype: onnxNumberOf(value.dtype), dims: value.dims.map(BigInt) }
    const known = swapped ? roots.swapped : roots.plain
    const tensor = (root: Hex) => constants.get(root)!
    let root = known.get(value)
    if (!root) {
      const laidOut = swapped ? swapLastTwo(value.constant!) : value.constant!
      root = tensorRoot(laidOut)
      known.set(value, root)
      constants.set(root, laidOut)
    }
    return { wire: 0, root, dtype: onnxNumberOf(value.dtype), dims: tensor(root).dims.map(BigInt) }
  }

  const operations = graph.nodes.map((node): Operation => {
    const inputs = node.inputs.map((name) => {
      const value = values.get(name)
      if (!value) throw notNormal(`it reads "${name}", which nothing before it puts out`, node)
      return value
    })
    const primitive = readPrimitive(node, inputs)
    const { code, attributes, operands, dtype, dims } = primitive
    const made = { code, attributes, inputs: operands.map(({ value }) => value) }
    const value: ProgramValue = { dtype, dims, facts: factsOf(made, dtype), made }
    const operation = { code, attributes, inputs: operands.map(operandOf), output: headerOf(value) }
    define(node.outputs[0]!, value)
    addWire(value, { name: node.outputs[0]!, node: { name: node.name, op: node.op } })
    return operation
  })

  const resultWire = (name: string): number => {
    const wire = wireOf.get(values.get(name)!)
    if (wire === undefined || wire < graph.inputs.length)
      throw notNormal(`the output "${name}" is not what an operation puts out`)
    return wire
  }
  const digestNames = digestNamesOf(model)
  for (const output of graph.outputs) checkOutput(output, wires[resultWire(output.name)]!)
  const program: Program = {
    inputs: graph.inputs.map(({ name }) => headerOf(values.get(name)!)),
    operations: operations.length,
    operationsRoot: buildOperationTree(operations).root,
    outputs: graph.outputs.filter(({ name }) => !digestNames.includes(name)).map(({ name }) => resultWire(name)),
    digests: digestNames.map(resultWire),
  }
  return { root: programRootV1(program), program, operations, constants, wires }
}

/** Whether a file is a program already. */
export function isProgram(bytes: Uint8Array): boolean {
  try {
    compileProgram(bytes)
    return true
  } catch (error) {
    if (error instanceof EngineError && error.detail.code.startsWith("E_MODEL_")) return false
    throw error
  }
}

/** The operand layout of a second factor: columns as rows. */
export function swapLastTwo(tensor: Tensor): Tensor {
  const { dtype, dims } = tensor
  const [rows, columns] = dims.slice(-2) as [number, number]
  const from = elementsOf(tensor)
  const to = newElements(dtype, dims)
  const matrix = rows * columns
  // In tiles, so that neither side jumps through memory.
  for (let start = 0; start < from.length; start += matrix)
    for (let r = 0; r < rows; r += TILE)
      for (let c = 0; c < columns; c += TILE)
        for (let i = r; i < Math.min(rows, r + TILE); i++)
          for (let j = c; j < Math.min(columns, c + TILE); j++)
            to[start + j * rows + i] = from[start + i * columns + j]!
  return tensorOf(dtype, [...dims.slice(0, -2), columns, rows], to)
}
const TILE = 32

/**
 * A program is exactly what our writer makes of what our reader read. Nothing can then be in the file that onnxruntime
 * reads in another way than we do: fields that are given twice, attributes of two kinds, functions, subgraphs.
 */
function assertCanonical(bytes: Uint8Array, model: OnnxModel): void {
  const [opset, ...others] = model.opsets
  if (opset?.domain !== "" || opset.version !== PROGRAM_OPSET || others.length > 0)
    throw notNormal(`a program is of opset ${PROGRAM_OPSET} and uses no other operators`)
  for (const node of model.graph.nodes) {
    if (node.outputs.length !== 1 || node.domain !== "") throw notNormal("it is no operator with one output", node)
    if (node.inputs.includes("")) throw notNormal("it leaves an optional input out", node)
  }
  const initialized = new Set(model.graph.initializers.map(({ name }) => name))
  if (model.graph.inputs.some(({ name }) => initialized.has(name))) throw notNormal("a constant is listed as an input")
  let written: Uint8Array
  try {
    written = writeModel(specOf(model))
  } catch (cause) {
    throw notNormal("it cannot be written as it was read", undefined, cause)
  }
  if (Buffer.compare(written, bytes) !== 0) throw notNormal("the file is not written as programs are")
}

function specOf({ graph, metadata }: OnnxModel): ModelSpec {
  return {
    name: graph.name,
    nodes: nodeSpecs(graph),
    inputs: graph.inputs.map(staticSpec),
    outputs: graph.outputs.map(staticSpec),
    initializers: Object.fromEntries(graph.initializers.map((initializer) => [initializer.name, initializer.read()])),
    opset: PROGRAM_OPSET,
    irVersion: PROGRAM_IR_VERSION,
    metadata: Object.fromEntries(metadata),
  }
}

/** Nodes as our writer takes them. */
export function nodeSpecs({ nodes }: OnnxModel["graph"]): NodeSpec[] {
  return nodes.map(({ op, name, inputs, outputs, attributes }) => ({
    op,
    name,
    inputs,
    outputs,
    attributes: attributesOf(attributes),
  }))
}

export function attributesOf(attributes: ReadonlyMap<string, OnnxAttribute>): Attributes {
  return Object.fromEntries([...attributes].map(([name, attribute]) => [name, attributeSpec(attribute)]))
}

function attributeSpec({ i, f, s, ints, floats, strings, tensors }: OnnxAttribute): AttributeSpec {
  if (i !== undefined) return i
  if (f !== undefined) return { f }
  if (s !== undefined) return { s }
  if (floats.length > 0) return { floats }
  if (strings.length > 0) return { strings }
  const [tensor] = tensors
  return tensor ? tensor.read() : ints
}

function staticSpec({ name, kind, elementType, dims }: OnnxValueInfo): ValueSpec & { dims: readonly number[] } {
  const dtype = dtypeOfOnnxNumber(elementType)
  if (kind !== "tensor" || !dtype || !PROGRAM_TYPES.has(dtype))
    throw notNormal(`"${name}" is of a type that programs do not have`)
  if (!dims?.every((dim) => typeof dim === "number" && dim > 0)) throw notNormal(`"${name}" has no static shape`)
  return { name, dtype, dims: dims as number[] }
}

function checkOutput(output: OnnxValueInfo, wire: Wire): void {
  const { dtype, dims } = staticSpec(output)
  if (dtype !== wire.dtype || dims.join() !== wire.dims.join())
    throw notNormal(
      `the output "${output.name}" is stated as ${dtype} [${dims}] and comes out as ${wire.dtype} [${wire.dims}]`,
    )
}

function headerOf({ dtype, dims }: ProgramValue): Header {
  return { dtype: onnxNumberOf(dtype), dims: dims.map(BigInt) }
}

function readPrimitive(node: OnnxNode, inputs: readonly ProgramValue[]): Primitive {
  try {
    return primitiveOf({ op: node.op, attributes: attributesOf(node.attributes), inputs })
  } catch (error) {
    if (!(error instanceof NotPrimitive)) throw error
    throw notNormal(error.message, node, error)
  }
}

function notNormal(why: string, node?: OnnxNode, cause?: unknown): EngineError {
  const where = node ? `node ${nodeLabel(node)} (${node.op})` : "the model"
  return engineError("E_MODEL_NOT_NORMAL", `${where} is not in the normal form of programs: ${why}`, {
    remedy: "normalize the model first (assay does so when a job is posted)",
    ...(node ? { node: nodeLabel(node), op: node.op } : {}),
    cause,
  })
}
