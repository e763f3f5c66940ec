import type { Dtype, Tensor } from "#protocol"
import type { AttributeSpec } from "../onnx/writeModel.ts"
import type { Facts } from "./facts.ts"

/** A tensor of a program while it is built or read: a graph input, a constant, or what a primitive puts out. */
export type ProgramValue = {
  readonly dtype: Dtype
  readonly dims: readonly number[]
  readonly facts: Facts
  readonly constant?: Tensor
  readonly made?: Made
}

/** How a value came about, as the referee sees it; facts about later values look back at it. */
export type Made = {
  readonly code: number
  readonly attributes: readonly bigint[]
  readonly inputs: readonly ProgramValue[]
}

export type Attributes = Readonly<Record<string, AttributeSpec>>

/** Row-major strides, in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length)
  let stride = 1
  for (let i = dims.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= dims[i]!
  }
  return strides
}

/** The shape that ONNX broadcasting makes of several, or undefined where they do not fit. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] | undefined {
  const rank = Math.max(...shapes.map((dims) => dims.length))
  const out = new Array<number>(rank).fill(1)
  for (const dims of shapes)
    for (let i = 0; i < dims.length; i++) {
      const at = rank - dims.length + i
      if (dims[i] === 1 || dims[i] === out[at]) continue
      if (out[at] !== 1) return undefined
      out[at] = dims[i]!
    }
  return out
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i])
}
