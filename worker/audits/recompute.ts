import type { Hex } from "viem"
import type { Backend, ShardResult } from "#engine"
import type { Spec } from "#protocol"
import type { Peer } from "../api/peer.ts"
import type { ArtifactCache } from "../artifacts/cache.ts"
import { fetchTaskFiles } from "../artifacts/fetchTaskFiles.ts"
import { workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import { readInputs } from "../leases/readInputs.ts"
import type { ModelChecks } from "../models/checkModel.ts"

export type RecomputeDeps = {
  cache: ArtifactCache
  peer: Peer
  hasher: Hasher
  models: ModelChecks
  auditBackend: Backend
}
export type RecomputeParams = {
  spec: Spec
  /** Of the terms. */
  programRoot: Hex
  inputs: Hex
  tasks: readonly { index: number; salt: Hex; inputCommitment: Hex }[]
  signal: AbortSignal
}

const HEADER_BYTES = 2 * 1024 * 1024

/** Runs tasks again, from the job's own inputs; yields results in the order of the tasks. */
export async function* recompute(
  deps: RecomputeDeps,
  { spec, programRoot, inputs, tasks, signal }: RecomputeParams,
): AsyncGenerator<ShardResult> {
  const { cache, auditBackend } = deps
  const pinned = [spec.model.sha256, inputs]
  for (const sha256 of pinned) cache.pin(sha256)
  try {
    // Drawn tasks of any shards in one bundle: no more than all of them, and a header of its own.
    const inputBytes = spec.shards.reduce((sum, { bytes }) => sum + bytes, HEADER_BYTES)
    const files = await fetchTaskFiles(deps, { spec, inputs, inputBytes, signal })
    const shardTasks = await readInputs(deps, { bundle: files.bundle, ports: spec.model.inputs, tasks })
    await deps.models.check({ model: files.model, spec, programRoot, task: shardTasks[0]! })
    let next = 0
    for await (const result of auditBackend.runShard(files.model, shardTasks, { signal })) {
      if (result.index !== tasks[next++]?.index) throw workerError("E_RUN_FAILED", "a result came out of order")
      yield result
    }
    if (next !== tasks.length) throw workerError("E_RUN_FAILED", `${next} results for ${tasks.length} tasks`)
  } finally {
    for (const sha256 of pinned) cache.unpin(sha256)
  }
}
