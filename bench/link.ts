/** A simulated way in or out of a machine: a token bucket of one byte's burst, and a delay. Times are in seconds. */
export type Link = {
  /** When the last of `bytes` that are given to it at `at` has arrived. */
  carry(bytes: number, at: number): number
}

export function createLink({ bitsPerSecond, latency }: { bitsPerSecond: number; latency: number }): Link {
  let free = 0
  return {
    carry(bytes, at) {
      free = Math.max(free, at) + (8 * bytes) / bitsPerSecond
      return free + latency
    },
  }
}
