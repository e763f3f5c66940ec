import { type Dtype, elementCount, PRIMITIVES, type Tensor } from "#protocol"
import { swapLastTwo } from "./compileProgram.ts"
import { int64s } from "./elements.ts"
import { anyOf, type Facts, factsOf, factsOfConstant } from "./facts.ts"
import { NotPrimitive, primitiveOf } from "./primitive.ts"
import { evaluatePrimitive } from "./reference.ts"
import type { Attributes, ProgramValue } from "./values.ts"

/** A value under construction: what the compiler will see, and the ONNX node that makes it. */
export type Value = ProgramValue & {
  readonly id: number
  readonly node?: BuiltNode
  /** Set for graph inputs. */
  readonly input?: string
}

export type BuiltNode = {
  readonly op: string
  readonly attributes: Attributes
  readonly inputs: readonly Value[]
  /** The node of the original model that this one stands for, in part. */
  readonly label: string
}

export type Builder = {
  input(name: string, dtype: Dtype, dims: readonly number[]): Value
  /** `facts` where they are known already. */
  constant(tensor: Tensor, facts?: Facts): Value
  /** A shape, or other list of integers, as an operand. */
  ints(values: readonly number[]): Value
  /** One primitive. The same one twice is one node; of constants alone it is evaluated at once. */
  emit(op: string, inputs: readonly Value[], attributes?: Attributes): Value
  /** The same value by an operation of its own: what a graph puts out is computed, and has one name. */
  copy(value: Value): Value
  /** What the nodes emitted from now on stand for. */
  label(text: string): void
}

/** Constants up to this size are shared by content; larger ones would cost more to compare than they save. */
const SHARED_BYTES = 256

export function createBuilder(): Builder {
  const numbered = new Map<string, Value>()
  let [nextId, label] = [0, ""]

  function constant(tensor: Tensor, facts?: Facts): Value {
    const make = (): Value => ({
      id: nextId++,
      dtype: tensor.dtype,
      dims: tensor.dims,
      facts: facts ?? factsOfConstant(tensor),
      constant: tensor,
    })
    if (tensor.data.byteLength > SHARED_BYTES) return make()
    return shared(`${tensor.dtype} [${tensor.dims}] ${Buffer.from(tensor.data).toString("hex")}`, make)
  }

  function shared(key: string, make: () => Value): Value {
    const known = numbered.get(key)
    if (known) return known
    const made = make()
    numbered.set(key, made)
    return made
  }

  function emit(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    const key = `${op} ${inputs.map(({ id }) => id)} ${JSON.stringify(attributes)}`
    return shared(key, () => {
      const { code, attributes: numbers, operands, dtype, dims } = primitiveOf({ op, attributes, inputs })
      if (inputs.every((input) => input.constant)) {
        // A constant's place in a program is bounded by what it may weigh there.
        if (elementCount(dims) > MAX_FOLDED)
          throw new NotPrimitive(`its constant result has ${elementCount(dims)} elements`)
        const tensors = operands.map(({ value, swapped }) => (swapped ? swapLastTwo(value.constant!) : value.constant!))
        return constant(evaluatePrimitive({ code, attributes: numbers, operands: tensors, dtype, dims }))
      }
      const made = { code, attributes: numbers, inputs: operands.map(({ value }) => value) }
      return { id: nextId++, dtype, dims, facts: factsOf(made, dtype), made, node: { op, attributes, inputs, label } }
    })
  }

  return {
    input: (name, dtype, dims) => ({ id: nextId++, dtype, dims, facts: anyOf(dtype), input: name }),
    constant,
    ints: (values) => constant(int64s(values)),
    emit,
    copy: (value) => {
      const {
        code,
        attributes: numbers,
        operands,
        dtype,
        dims,
      } = primitiveOf({ op: "Identity", attributes: {}, inputs: [value] })
      const made = { code, attributes: numbers, inputs: operands.map((operand) => operand.value) }
      return {
        id: nextId++,
        dtype,
        dims,
        facts: value.facts,
        made,
        node: { op: "Identity", attributes: {}, inputs: [value], label },
      }
    },
    label: (text) => {
      label = text
    },
  }
}

const MAX_FOLDED = 2 ** 28

/** Whether a value is a view of another by the given ONNX operator. */
export function madeBy(value: Value, op: string): BuiltNode | undefined {
  return value.node?.op === op && value.made?.code === PRIMITIVES.VIEW ? value.node : undefined
}
