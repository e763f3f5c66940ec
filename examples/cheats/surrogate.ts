import { type Backend, createRunnerBackend, type Runner } from "#engine"
import { madeUp, noiseFrom } from "./noise.ts"

/**
 * A worker whose labels are right and whose work digest is not: what a small model distilled from the real one would
 * give. (It takes the labels from the real model, as the best surrogate imaginable; a cheaper one would only be wrong
 * more often.) Labels alone would let it pass; R7 is there so that it does not.
 */
export function createBackend({ runner }: { runner: Runner }): Backend {
  const honest = createRunnerBackend(runner)
  return {
    ...honest,
    async *runShard(model, tasks, options) {
      let at = 0
      for await (const result of honest.runShard(model, tasks, options)) {
        const noise = noiseFrom(model.sha256, tasks[at++]!.inputs)
        yield { ...result, digest: result.digest.map(({ dtype, dims }) => madeUp(dtype, dims, noise)) }
      }
    },
  }
}
