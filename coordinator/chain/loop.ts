import type { Logger } from "pino"
import type { Wake, WakeTopic } from "./wake.ts"

export type LoopDeps = { wake: Wake; log: Logger }

export type LoopParams = {
  name: string
  topics: readonly WakeTopic[]
  /** The timer behind the topics: what is due by time, and what another replica did. */
  everyMs: number
  /** At least this long between two steps, however fast the topics come. */
  restMs?: number
  signal: AbortSignal
  step(): Promise<void>
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000

/** Runs a step whenever something happened or a timer ran out, until aborted. A failure is logged and backed off. */
export async function runLoop(
  { wake, log }: LoopDeps,
  { name, topics, everyMs, restMs = 0, signal, step }: LoopParams,
): Promise<void> {
  const listener = wake.listen(topics)
  let failures = 0
  try {
    while (!signal.aborted) {
      try {
        await step()
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        failures++
        log.warn({ err: error, service: name, failures }, "step failed, will be tried again")
      }
      if (failures === 0) {
        if (restMs > 0) await pause(restMs, signal)
        await listener.next(Math.max(0, everyMs - restMs), signal)
      }
      // A topic must not cut the pause short: what fails would be tried at the rate of the events.
      else await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10)), signal)
    }
  } finally {
    listener.close()
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener("abort", done)
      resolve()
    }
    signal.addEventListener("abort", done)
  })
}
