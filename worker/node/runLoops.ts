import type { Parts } from "./parts.ts"
import { watchLoop } from "./watchLoop.ts"
import { workLoops } from "./workLoops.ts"

/**
 * What goes on while a worker lives. Watching the chain begins first and ends last, and needs no coordinator: votes
 * and commits of one's own must go on when it is dead. Leases and audits end when the worker is told to stop.
 */
export async function runLoops(parts: Parts): Promise<void> {
  const { config } = parts
  const ending = new AbortController()
  // One loop that fails for good stops the others too: a worker that has said why it ends must not go on auditing.
  const failed = new AbortController()
  const stopping = AbortSignal.any([parts.stopping, failed.signal])
  const aborting = withGrace(stopping, config.graceMs)
  const { promise: fatal, reject: onFatal } = createRejection()
  const background: Promise<void>[] = []
  const beside = (loop: Promise<void>) => {
    background.push(loop)
    loop.catch(onFatal)
  }
  try {
    beside(watchLoop(parts, ending.signal))
    const work = workLoops(
      { ...parts, stopping },
      { aborting: aborting.signal, ending: ending.signal, onFatal, beside },
    )
    background.push(work)
    await Promise.race([work, fatal])
  } catch (error) {
    failed.abort(error)
    throw error
  } finally {
    ending.abort()
    aborting.cancel()
    await Promise.allSettled(background)
  }
}

/** A promise that only ever fails. */
function createRejection(): { promise: Promise<never>; reject: (error: unknown) => void } {
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<never>((_, fail) => {
    reject = fail
  })
  promise.catch(() => undefined)
  return { promise, reject }
}

/** Fires some time after the other; `cancel` ends the wait. */
function withGrace(stopping: AbortSignal, graceMs: number): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const begin = () => {
    timer = setTimeout(() => controller.abort(), graceMs)
  }
  if (stopping.aborted) begin()
  else stopping.addEventListener("abort", begin, { once: true })
  const cancel = () => {
    clearTimeout(timer)
    stopping.removeEventListener("abort", begin)
    controller.abort()
  }
  return { signal: controller.signal, cancel }
}
