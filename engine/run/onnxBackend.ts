import type { Tensor } from "#protocol"
import type { Backend, ModelArtifact, RunShardOptions, ShardResult, ShardTask } from "../backend.ts"
import { createRunner, type Runner, type RunnerOptions } from "./runner.ts"

export type OnnxBackendOptions = RunnerOptions & {
  /** How many tasks of a shard run side by side, each in its own process with its own memory limit. */
  readonly processes?: number
}

/** The honest backend: runs what it is asked to run. */
export function createOnnxBackend({ processes = 1, ...options }: OnnxBackendOptions = {}): Backend {
  const runners = Array.from({ length: processes }, () => createRunner(options))

  async function prepare(model: ModelArtifact): Promise<void> {
    await Promise.all(runners.map((runner) => runner.load(model.path, model.sha256)))
  }

  async function* runShard(
    model: ModelArtifact,
    tasks: readonly ShardTask[],
    { signal }: RunShardOptions,
  ): AsyncGenerator<ShardResult> {
    await prepare(model)
    // Task i goes to process i mod n: results come back in order, and no process waits while tasks are left.
    const lanes = runners.map((runner, lane) => openLane(runner, model, everyNth(tasks, runners.length, lane), signal))
    try {
      for (const [i, { index }] of tasks.entries()) {
        const next = await lanes[i % lanes.length]!.next()
        if (next.done) throw new Error("a lane ended before its tasks did")
        yield { index, units: 1, ...splitResults(model, next.value) }
      }
    } finally {
      await Promise.all(lanes.map((lane) => lane.return()))
    }
  }

  return {
    prepare,
    runShard,
    close: async () => {
      await Promise.all(runners.map((runner) => runner.close()))
    },
  }
}

/** A run's tensors are the outputs in model order, then the digest tensors. */
export function splitResults(model: Pick<ModelArtifact, "outputs">, tensors: readonly Tensor[]) {
  return { outputs: tensors.slice(0, model.outputs.length), digest: tensors.slice(model.outputs.length) }
}

type Lane = { next(): Promise<IteratorResult<Tensor[]>>; return(): Promise<void> }

/** Starts at once and keeps one result ready ahead of who reads. */
function openLane(runner: Runner, model: ModelArtifact, tasks: readonly ShardTask[], signal: AbortSignal): Lane {
  const iterator = runner
    .runMany(
      model.sha256,
      tasks.map(({ inputs }) => inputs),
      signal,
    )
    [Symbol.asyncIterator]()
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
    return: async () => {
      await pending.catch(() => {})
      await iterator.return?.()
    },
  }
}

function everyNth<T>(items: readonly T[], n: number, offset: number): T[] {
  return items.filter((_, i) => i % n === offset)
}
