import type { WorkerEvent } from "#protocol"
import { createEvents } from "./events.ts"
import { runWorker } from "./node/runWorker.ts"
import { parseOptions, type WorkerOptions } from "./options.ts"

export type StartWorkerParams = {
  /** Its abort is a stop. */
  signal?: AbortSignal
  onEvent: (event: WorkerEvent) => void
}

export type WorkerHandle = {
  /** Settles when the worker has ended; rejects if something ended it that it cannot go on after. */
  readonly done: Promise<void>
  /** No new leases; audits and votes go on, for they were promised. */
  pause(): void
  resume(): void
  /** Finishes or gives back what it has, then ends. */
  stop(): Promise<void>
}

/** The program that earns: stakes, leases, computes, audits, votes, and commits for itself if it must. */
export function startWorker(options: WorkerOptions, { signal, onEvent }: StartWorkerParams): WorkerHandle {
  const config = parseOptions(options)
  const events = createEvents(onEvent)
  const stop = new AbortController()
  const stopping = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  let paused = false
  const done = runWorker(config, { stopping, events, isPaused: () => paused })
  return {
    done,
    pause: () => {
      paused = true
    },
    resume: () => {
      paused = false
    },
    stop: async () => {
      stop.abort()
      await done
    },
  }
}
