import { setTimeout as sleep } from "node:timers/promises"
import { type Backend, createRunnerBackend, type Runner } from "#engine"

const SECONDS = 12

/** An honest worker on a very slow machine. */
export function createBackend({ runner }: { runner: Runner }): Backend {
  const honest = createRunnerBackend(runner)
  return {
    ...honest,
    async *runShard(model, tasks, options) {
      await sleep(SECONDS * 1000, undefined, { signal: options.signal })
      yield* honest.runShard(model, tasks, options)
    },
  }
}
