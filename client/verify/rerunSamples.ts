import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Hex } from "viem"
import { type Backend, createOnnxBackend, decodeBundle, type ModelArtifact, type ShardResult } from "#engine"
import {
  type Batch,
  type BatchData,
  type BatchLayout,
  batchIdOf,
  bundleName,
  inputCommitment,
  keyedDigest,
  outputCommitment,
  placeOf,
  type Spec,
  shardTasks,
  type Tensor,
  taskSalt,
} from "#protocol"
import type { Coordinator } from "../http/coordinator.ts"
import { type Check, check, checkAll } from "./check.ts"

export type Rerun = { name: string; batch: Batch; layout: BatchLayout; data: BatchData; voided: bigint }
export type RerunDeps = { coordinator: Coordinator; backend?: Backend }
export type RerunParams = { spec: Spec; jobSalt: Hex; batches: readonly Rerun[]; signal?: AbortSignal }

/**
 * Computes every drawn task again and compares: the leaf's output, the verdict's output, and the digest that its
 * verifier keyed with its own name (R21), which a copied verdict gets wrong.
 */
export async function rerunSamples({ coordinator, backend }: RerunDeps, params: RerunParams): Promise<Check[]> {
  const { spec, signal } = params
  const dir = await mkdtemp(join(tmpdir(), "assay-verify-"))
  const engine = backend ?? createOnnxBackend()
  try {
    const path = join(dir, "model.onnx")
    await writeFile(path, await coordinator.getArtifact(spec.model.sha256, { signal }))
    const model: ModelArtifact = { ...spec.model, path }
    const checks: Check[] = []
    for (const batch of params.batches) {
      checks.push(...(await rerunBatch({ coordinator, engine, model }, params, batch)))
    }
    return checks
  } finally {
    if (!backend) await engine.close()
    await rm(dir, { recursive: true, force: true })
  }
}

type EngineDeps = { coordinator: Coordinator; engine: Backend; model: ModelArtifact }

async function rerunBatch(
  deps: EngineDeps,
  { spec, jobSalt, signal }: RerunParams,
  { name, batch, layout, data, voided }: Rerun,
): Promise<Check[]> {
  const verdicts = data.verdicts.flatMap(({ verdict }) => (verdict ? [verdict] : []))
  const leaves = new Map(data.shards.flatMap(({ leaves: own }) => own.map((leaf) => [leaf.taskIndex, leaf])))
  const tasks = [...new Set(verdicts.map(({ position }) => placeOf(layout, position).taskIndex))].sort((a, b) => a - b)
  const inputs = await readInputs(deps, { spec, layout, tasks, signal })
  const results = new Map<number, ShardResult>()
  const shardInputs = tasks.map((index) => ({ index, inputs: inputs.get(index)! }))
  for await (const result of deps.engine.runShard(deps.model, shardInputs, {
    signal: signal ?? new AbortController().signal,
  })) {
    results.set(result.index, result)
  }
  const outputOf = (taskIndex: number) => {
    const { outputs, digest } = results.get(taskIndex)!
    return outputCommitment(taskSalt(jobSalt, taskIndex), { outputs, digests: digest })
  }
  const batchId = batchIdOf(batch.jobId, batch.number)
  return [
    checkAll(
      `${name}: rerun inputs`,
      tasks,
      (task) =>
        inputCommitment(taskSalt(jobSalt, task), inputs.get(task)!) === leaves.get(task)?.inputCommitment
          ? undefined
          : `task ${task} was computed on another input`,
      "sampled inputs are the job's",
    ),
    check(
      `${name}: rerun outputs`,
      tasks.every(
        (task) => outputOf(task) === leaves.get(task)!.outputCommitment || isVoided({ batch, layout, voided }, task),
      ),
      `${tasks.length} sampled tasks computed again: ${wrongTasks(tasks, (task) => outputOf(task) === leaves.get(task)!.outputCommitment)}`,
    ),
    checkAll(
      `${name}: rerun verdicts`,
      verdicts,
      (verdict) => {
        const { taskIndex } = placeOf(layout, verdict.position)
        if (verdict.outputCommitment !== outputOf(taskIndex))
          return `${verdict.verifier} signed a false result for task ${taskIndex}`
        const { outputs, digest } = results.get(taskIndex)!
        const key = { verifier: verdict.verifier, batchId, position: verdict.position }
        const own = keyedDigest(taskSalt(jobSalt, taskIndex), { outputs, digests: digest }, key)
        return own === verdict.keyedDigest
          ? undefined
          : `${verdict.verifier} copied its verdict on task ${taskIndex}: its keyed digest is wrong`
      },
      "verdicts hold, each keyed by its own verifier",
    ),
  ]
}

function wrongTasks(tasks: readonly number[], right: (task: number) => boolean): string {
  const wrong = tasks.filter((task) => !right(task))
  return wrong.length === 0 ? "all as committed" : `wrong are ${wrong.join(", ")}`
}

function isVoided({ batch, layout, voided }: Pick<Rerun, "batch" | "layout" | "voided">, taskIndex: number): boolean {
  const bit = BigInt(Math.floor(taskIndex / layout.plan.shardSize) - batch.firstShard)
  const index = batch.ranges.findIndex((word) => (word >> bit) % 2n === 1n)
  return (voided >> BigInt(index)) % 2n === 1n
}

type ReadInputsParams = { spec: Spec; layout: BatchLayout; tasks: readonly number[]; signal?: AbortSignal }

async function readInputs(
  { coordinator, model }: EngineDeps,
  params: ReadInputsParams,
): Promise<Map<number, Tensor[]>> {
  const { spec, layout, tasks, signal } = params
  const found = new Map<number, Tensor[]>()
  for (const shard of new Set(tasks.map((task) => Math.floor(task / layout.plan.shardSize)))) {
    const bundle = decodeBundle(await coordinator.getArtifact(spec.shards[shard]!.inputs, { signal }))
    const tensors = new Map(bundle.map(({ name, tensor }) => [name, tensor]))
    const { first, count } = shardTasks(layout.plan, shard)
    for (const task of tasks.filter((one) => one >= first && one < first + count)) {
      found.set(
        task,
        model.inputs.map(({ name }) => tensors.get(bundleName(task, name))!),
      )
    }
  }
  return found
}
