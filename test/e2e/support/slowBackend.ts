import { setTimeout as sleep } from "node:timers/promises"
import { type Backend, createRunnerBackend, type Runner } from "#engine"

/** An honest worker that takes its time, so that a test can end it in the middle of a shard. */
export function createBackend({ runner }: { runner: Runner }): Backend {
  const honest = createRunnerBackend(runner)
  return {
    ...honest,
    async *runShard(model, tasks, options) {
      for await (const result of honest.runShard(model, tasks, options)) {
        yield result
        await sleep(1500, undefined, { signal: options.signal })
      }
    },
  }
}
