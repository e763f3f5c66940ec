import type { Tensor } from "#protocol"
import { ramp } from "../../engine/support/graphs.ts"

/** Inputs for the classifier, each another. */
export function distinctTasks(count: number): { x: Tensor }[] {
  return Array.from({ length: count }, (_, i) => {
    const { data, ...shape } = ramp([1, 4])
    const values = new Float32Array(data.slice().buffer)
    values[0] = i
    return { x: { ...shape, data: new Uint8Array(values.buffer) } }
  })
}
