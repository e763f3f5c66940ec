/** One line of `assay bench`: a figure beside what it is measured against, in the same run. */
export type Figure = {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The goal, the competitor or the physical limit, in words. */
  readonly against: string
  /** value / that, where both are numbers. */
  readonly ratio: number | null
}

/** Machines are shared and noisy: of several interleaved runs the median speaks. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Milliseconds. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}
