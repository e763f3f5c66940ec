import type { WorkerEvent } from "#protocol"
import { codeOf, textOf } from "./errors.ts"

/** An event without its time. */
export type EventFacts = WorkerEvent extends infer Event
  ? Event extends WorkerEvent
    ? Omit<Event, "at">
    : never
  : never

export type Emit = (facts: EventFacts) => void

/** Tells each refusal and wait once, not at every turn of a loop: only a change is news. */
export type Events = {
  emit: Emit
  /** A refusal or wait of a loop; silent while code and text stay what they were. */
  wait(loop: string, kind: "refused" | "idle", code: string, text: string): void
  /** The loop goes on: the next wait is news again. */
  resume(loop: string): void
  fail(error: unknown): void
}

export function createEvents(onEvent: (event: WorkerEvent) => void): Events {
  const waits = new Map<string, string>()
  const emit: Emit = (facts) => onEvent({ at: new Date().toISOString(), ...facts } as WorkerEvent)
  return {
    emit,
    wait(loop, kind, code, text) {
      const said = `${code} ${text}`
      if (waits.get(loop) === said) return
      waits.set(loop, said)
      emit({ kind, code, text })
    },
    resume: (loop) => {
      waits.delete(loop)
    },
    fail: (error) => emit({ kind: "error", code: codeOf(error), text: textOf(error) }),
  }
}
