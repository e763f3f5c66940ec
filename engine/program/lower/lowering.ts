import { elementCount, type Tensor } from "#protocol"
import type { OnnxNode } from "../../onnx/types.ts"
import type { Value } from "../builder.ts"
import { numbersOf } from "../elements.ts"
import type { Ops } from "../ops.ts"

/** A node of the original model, with its inputs as they are now: what a lowering turns into primitives. */
export type Lowering = {
  readonly o: Ops
  readonly node: OnnxNode
  /** Undefined where an optional input is left out. */
  readonly inputs: readonly (Value | undefined)[]
  readonly opset: number
}

/** One value an output of the node, in order. */
export type Lower = (lowering: Lowering) => readonly Value[]

/** Why a node cannot be exact, and what its owner can do about it. */
export class LowerRefusal extends Error {
  override readonly name = "LowerRefusal"
  readonly remedy: string

  constructor(why: string, remedy: string) {
    super(why)
    this.remedy = remedy
  }
}

export function refuse(why: string, remedy: string): never {
  throw new LowerRefusal(why, remedy)
}

export function input({ inputs, node }: Lowering, at: number): Value {
  return inputs[at] ?? refuse(`it lacks input ${at} of ${node.op}`, "export the model again")
}

export function int({ node }: Lowering, name: string, otherwise: number): number {
  return node.attributes.get(name)?.i ?? otherwise
}

export function float({ node }: Lowering, name: string, otherwise: number): number {
  return node.attributes.get(name)?.f ?? otherwise
}

export function text({ node }: Lowering, name: string, otherwise: string): string {
  return node.attributes.get(name)?.s ?? otherwise
}

export function ints({ node }: Lowering, name: string): readonly number[] | undefined {
  return node.attributes.get(name)?.ints
}

/** A list of integers that older opsets give as an attribute and newer ones as an input; undefined if left out. */
export function intsOf(lowering: Lowering, at: number, name: string): number[] | undefined {
  const value = lowering.inputs[at]
  if (!value) return ints(lowering, name)?.slice()
  return constantInts(value, name)
}

export function constantInts(value: Value, what: string): number[] {
  return numbersOf(constantOf(value, what)).map((number) =>
    Math.max(Math.min(number, Number.MAX_SAFE_INTEGER), -Number.MAX_SAFE_INTEGER),
  )
}

export function constantNumbers(value: Value, what: string): number[] {
  return numbersOf(constantOf(value, what))
}

export function constantNumber(value: Value, what: string): number {
  const numbers = constantNumbers(value, what)
  if (numbers.length !== 1) refuse(`its ${what} is not one number`, "export the model again")
  return numbers[0]!
}

export function constantOf(value: Value, what: string): Tensor {
  return (
    value.constant ??
    refuse(
      `its ${what} is computed from the input`,
      `export the model with a constant ${what}, by tracing with static shapes`,
    )
  )
}

/** The number that all elements of a constant are, if they are one. */
export function uniform(value: Value | undefined): number | undefined {
  if (!value?.constant || value.facts.nan || value.facts.low !== value.facts.high) return undefined
  return value.facts.low
}

export function axisOf(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis
  if (at < 0 || at >= rank) refuse(`it names axis ${axis} of ${rank}`, "export the model again")
  return at
}

export function product(dims: readonly number[]): number {
  return elementCount(dims)
}

/** Whether nobody asks for that output of a node. */
export function isLeftOut({ outputs }: OnnxNode, at: number): boolean {
  return outputs.slice(at).every((name) => name === "")
}
