import { encodeElements, type Runner, type Segment, type TrainingState } from "#engine"
import { elementCount, type Tensor } from "#protocol"
import { sha256 } from "../support/graphs.ts"

export function floatsOf({ data }: Tensor): Float32Array {
  return new Float32Array(new Uint8Array(data).buffer)
}

export function floatTensor(dims: readonly number[], values: ArrayLike<number>): Tensor {
  return { dtype: "float32", dims, data: encodeElements("float32", Array.from(values)) }
}

export function intTensor(
  dims: readonly number[],
  values: readonly number[],
  dtype: "int64" | "uint8" = "int64",
): Tensor {
  return { dtype, dims, data: encodeElements(dtype, values) }
}

/** Numbers between -1 and 1 that keep clear of each other and of 0, so that no kink lies within a finite difference. */
export function spread(dims: readonly number[], seed: number): Tensor {
  const count = elementCount(dims)
  const order = Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => Math.sin(a * 12.9898 + seed) - Math.sin(b * 12.9898 + seed),
  )
  const values = new Float32Array(count)
  order.forEach((place, rank) => {
    values[place] = (2 * (rank + 0.5 + (seed % 2) / 3)) / count - 1
  })
  return floatTensor(dims, values)
}

export type StepResult = { readonly state: TrainingState; readonly losses: Float32Array }

/** Loads a segment and returns what runs it from a state. */
export async function segmentRunner(
  runner: Runner,
  segment: Segment,
): Promise<(state: TrainingState, rates: readonly number[], fed?: readonly Tensor[]) => Promise<StepResult>> {
  const hash = sha256(segment.bytes)
  await runner.load(segment.bytes, hash)
  return async (state, rates, fed = []) => {
    const outputs = await runner.run(hash, [...state, floatTensor([rates.length], rates), ...fed])
    return { state: outputs.slice(0, -1), losses: floatsOf(outputs.at(-1)!) }
  }
}
