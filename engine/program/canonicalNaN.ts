import type { Tensor } from "#protocol"
import { elementsOf, tensorOf } from "./elements.ts"

export const CANONICAL_NAN = 0x7fc00000

/**
 * The tensor with every float32 NaN as 0x7fc00000: payload and sign of a NaN differ between processors, and no
 * primitive can see them. The same tensor where there is none, which is nearly always.
 */
export function canonicalNaN(tensor: Tensor): Tensor {
  if (tensor.dtype !== "float32") return tensor
  const values = elementsOf(tensor) as Float32Array
  let first = 0
  while (first < values.length && !Number.isNaN(values[first])) first++
  if (first === values.length) return tensor
  const copy = values.slice()
  const bits = new Uint32Array(copy.buffer)
  for (let i = first; i < copy.length; i++) if (Number.isNaN(copy[i])) bits[i] = CANONICAL_NAN
  return tensorOf("float32", tensor.dims, copy)
}
