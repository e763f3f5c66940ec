/** Chain time, which every signed message is in: the latest block's, and what has passed here since it was seen. */
export type Clock = {
  /** Seconds. */
  now(): bigint
  observe(timestamp: bigint): void
}

export function createClock(timestamp: bigint): Clock {
  let base = timestamp
  let seenAt = performance.now()
  return {
    now: () => base + BigInt(Math.floor((performance.now() - seenAt) / 1000)),
    observe: (next) => {
      if (next === base) return
      base = next
      seenAt = performance.now()
    },
  }
}
