import type { Tensor } from "#protocol"
import type { Backend, ModelArtifact } from "../backend.ts"
import type { Runner } from "./runner.ts"
import { createRunnerPool, type RunnerPoolOptions } from "./runnerPool.ts"

/** The honest backend: runs what it is asked to run. The runner stays its creator's to close. */
export function createRunnerBackend(runner: Runner): Backend {
  return {
    prepare: async (model) => {
      await runner.load(model.path, model.sha256)
    },
    async *runShard(model, tasks, { signal }) {
      // The process answers in order, so the first tasks wait behind the load there and not for its answer here.
      const loaded = runner.load(model.path, model.sha256)
      loaded.catch(() => undefined)
      const results = runner.runMany(
        model.sha256,
        tasks.map(({ inputs }) => inputs),
        signal,
      )
      let at = 0
      for await (const tensors of results)
        yield { index: tasks[at++]!.index, units: 1, ...splitResults(model, tensors) }
      await loaded
    },
    close: async () => {},
  }
}

/** The same with a runner of its own, which ends with it. */
export function createOnnxBackend({ processes = 1, ...options }: Partial<RunnerPoolOptions> = {}): Backend {
  const runner = createRunnerPool({ processes, ...options })
  return { ...createRunnerBackend(runner), close: () => runner.close() }
}

/** A run's tensors are the outputs in model order, then the digest tensors. */
export function splitResults(
  model: Pick<ModelArtifact, "outputs">,
  tensors: readonly Tensor[],
): { outputs: Tensor[]; digest: Tensor[] } {
  return { outputs: tensors.slice(0, model.outputs.length), digest: tensors.slice(model.outputs.length) }
}
