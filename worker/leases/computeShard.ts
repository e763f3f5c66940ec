import { type Backend, bundleName, type NamedTensor, type ShardResult } from "#engine"
import type { WireLeaf } from "#protocol"
import { workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { PreparedLease } from "./prepareLease.ts"

export type ComputedShard = {
  prepared: PreparedLease
  /** Still being hashed when the next shard begins: the computing process does not wait for it. */
  leaves: Promise<WireLeaf[]>
  outputs: NamedTensor[]
  ms: number
}

/** How many results may wait for their hash: enough that the thread never starves, few enough to bound memory. */
const HASHING_AHEAD = 16

/** Runs a shard; each result is hashed on the other thread while the next task runs. */
export async function computeShard(
  { backend, hasher }: { backend: Backend; hasher: Hasher },
  prepared: PreparedLease,
  signal: AbortSignal,
): Promise<ComputedShard> {
  const { model, tasks, record } = prepared
  const startedAt = performance.now()
  const leaves: Promise<WireLeaf>[] = []
  const outputs: NamedTensor[] = []
  for await (const result of backend.runShard(model, tasks, { signal })) {
    signal.throwIfAborted()
    const leaf = hashResult(hasher, prepared, result, leaves.length)
    // Its failure is reported where it is awaited; until then it must not count as unhandled.
    leaf.catch(() => undefined)
    leaves.push(leaf)
    for (const [i, { name }] of model.outputs.entries()) {
      outputs.push({ name: bundleName(result.index, name), tensor: result.outputs[i]! })
    }
    await leaves.at(-HASHING_AHEAD)
  }
  const { count } = record.bundle
  if (leaves.length !== count) {
    throw workerError("E_RUN_FAILED", `the backend gave ${leaves.length} results for ${count} tasks`)
  }
  return { prepared, leaves: inOrder(leaves), outputs, ms: performance.now() - startedAt }
}

function inOrder(leaves: readonly Promise<WireLeaf>[]): Promise<WireLeaf[]> {
  const all = Promise.all(leaves)
  // As with each of them: told to whoever awaits it.
  all.catch(() => undefined)
  return all
}

async function hashResult(
  hasher: Hasher,
  { model, record }: PreparedLease,
  { index, units, outputs, digest }: ShardResult,
  offset: number,
): Promise<WireLeaf> {
  const { firstTask, salts, inputCommitments, terms } = record.bundle
  if (index !== firstTask + offset || outputs.length !== model.outputs.length) {
    throw workerError("E_RUN_FAILED", `the backend gave a result of task ${index} where ${firstTask + offset} was due`)
  }
  // More than the terms pay for is a wrong leaf (R1).
  if (units < 1 || units > terms.maxUnits) throw workerError("E_RUN_FAILED", `task ${index} took ${units} units`)
  const hashes = await hasher.run("output", { salt: salts[offset]!, result: { outputs, digests: digest } })
  return { taskIndex: index, units, inputCommitment: inputCommitments[offset]!, ...hashes }
}
