/** Why a service may have something to do before its timer runs out. */
export type WakeTopic = "tick" | "receipt" | "outbox" | "verdict" | "shards"

/**
 * Loops of one process wake each other through it. It carries no data and may be lost (a restart, another replica):
 * whoever wakes looks at the database, and timers cover what no topic told.
 */
export type Wake = {
  notify(topic: WakeTopic): void
  /** Notifications are kept from the call on, so that one that comes while a loop works is not missed. */
  listen(topics: readonly WakeTopic[]): WakeListener
}

export type WakeListener = {
  /** Resolves at the first notification since the last call, after `ms`, or when the signal aborts. */
  next(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

export function createWake(): Wake {
  const listeners = new Map<WakeTopic, Set<() => void>>()
  return {
    notify(topic) {
      for (const wake of listeners.get(topic) ?? []) wake()
    },
    listen(topics) {
      let pending = false
      let resume: (() => void) | undefined
      const wake = (): void => {
        pending = true
        resume?.()
      }
      for (const topic of topics) {
        const set = listeners.get(topic) ?? new Set()
        listeners.set(topic, set.add(wake))
      }
      return {
        async next(ms, signal) {
          if (!pending && !signal?.aborted) {
            await new Promise<void>((resolve) => {
              const timer = setTimeout(done, ms)
              function done(): void {
                clearTimeout(timer)
                signal?.removeEventListener("abort", done)
                resume = undefined
                resolve()
              }
              signal?.addEventListener("abort", done)
              resume = done
            })
          }
          pending = false
        },
        close() {
          for (const topic of topics) listeners.get(topic)?.delete(wake)
        },
      }
    },
  }
}
