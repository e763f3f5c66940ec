import type { Tensor } from "#protocol"
import { floats } from "../program/elements.ts"

export type Schedule = {
  readonly peak: number
  /** Steps in which the rate rises linearly to its peak. */
  readonly warmUp: number
  /** Steps of the whole training: the rate falls to 0 along a half cosine. */
  readonly total: number
}

/** The learning rates of steps `from` .. `from + count - 1`, float32 [count]: what a segment takes as `rates`. */
export function cosineRates({ peak, warmUp, total }: Schedule, from: number, count: number): Tensor {
  return floats(
    [count],
    Array.from({ length: count }, (_, i) => {
      const step = from + i
      if (step < warmUp) return (peak * (step + 1)) / warmUp
      const done = Math.min(1, (step - warmUp) / Math.max(1, total - warmUp))
      return (peak / 2) * (1 + Math.cos(Math.PI * done))
    }),
  )
}
