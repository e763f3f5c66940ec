import type { Tensor } from "#protocol"
import { createRunner, type Runner, type RunnerOptions } from "./runner.ts"

export type RunnerPoolOptions = RunnerOptions & {
  /** Computing processes side by side; memoryBytes is the limit of each. */
  readonly processes: number
}

/**
 * Several runners that look like one. More cores are more processes, not more threads a session: the exact profile
 * fixes those at one, and a task that crashes takes nobody else's process with it.
 */
export function createRunnerPool({ processes, ...options }: RunnerPoolOptions): Runner {
  const runners = Array.from({ length: Math.max(1, processes) }, () => createRunner(options))
  const first = runners[0]!
  if (runners.length === 1) return first
  let turn = 0

  return {
    profile: first.profile,
    load: async (source, sha256, loadOptions) => {
      const [loaded] = await Promise.all(runners.map((runner) => runner.load(source, sha256, loadOptions)))
      return loaded!
    },
    run: (sha256, inputs) => runners[turn++ % runners.length]!.run(sha256, inputs),
    async *runMany(sha256, tasks, signal) {
      // Task i goes to process i mod n: results come back in order, and no process waits while tasks are left.
      const queues = deal(tasks, runners.length)
      const lanes = runners.map((runner, i) => readAhead(runner.runMany(sha256, queues[i]!, signal)))
      try {
        for (let at = 0; ; at++) {
          const next = await lanes[at % lanes.length]!.next()
          if (next.done) return
          yield next.value
        }
      } finally {
        await Promise.all(lanes.map((lane) => lane.stop()))
      }
    },
    programRoot: (sha256) => first.programRoot(sha256),
    probe: (bytes) => first.probe(bytes),
    close: async () => {
      await Promise.all(runners.map((runner) => runner.close()))
    },
  }
}

/** One source dealt out to `n` readers in turn; a reader that is ahead waits for its own next item alone. */
function deal<T>(source: Iterable<T> | AsyncIterable<T>, n: number): AsyncIterable<T>[] {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  const waiting: T[][] = Array.from({ length: n }, () => [])
  let [dealt, ended] = [0, false]
  let pulling: Promise<void> | undefined
  const pull = async () => {
    const next = await iterator.next()
    if (next.done) ended = true
    else waiting[dealt++ % n]!.push(next.value)
  }
  return waiting.map((queue) => ({
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (queue.length > 0) yield queue.shift()!
        else if (ended) return
        else {
          pulling ??= pull().finally(() => {
            pulling = undefined
          })
          await pulling
        }
      }
    },
  }))
}

type Lane = { next(): Promise<IteratorResult<Tensor[]>>; stop(): Promise<void> }

/** Starts at once and keeps one result ready ahead of who reads. */
function readAhead(results: AsyncIterable<Tensor[]>): Lane {
  const iterator = results[Symbol.asyncIterator]()
  const pull = () => {
    const result = iterator.next()
    result.catch(() => {}) // thrown again where it is awaited
    return result
  }
  let pending = pull()
  return {
    next: async () => {
      const result = await pending
      if (!result.done) pending = pull()
      return result
    },
    stop: async () => {
      await pending.catch(() => {})
      await iterator.return?.()
    },
  }
}
