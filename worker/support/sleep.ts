import { setTimeout as delay } from "node:timers/promises"

/** Rejects with the signal's reason as soon as it fires. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  try {
    await delay(ms, undefined, { signal })
  } catch (cause) {
    signal.throwIfAborted()
    throw cause
  }
}

/** Like sleep, but an abort merely ends it: for loops whose condition is the signal itself. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await sleep(ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}
