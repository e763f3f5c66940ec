import type { Hex } from "viem"
import type { Dtype, Tensor } from "#protocol"

/**
 * The one seam between earning and computing. A worker leases, fetches, hashes, signs and uploads; what stands behind
 * this interface only turns inputs into outputs, and may be honest or not: audits exist because nobody can see which.
 */

export type ValueInfo = { readonly name: string; readonly dtype: Dtype; readonly dims: readonly number[] }

/** A model as the market stores it: its digest tensors (R7) are already extra outputs of the graph. */
export type ModelArtifact = {
  readonly sha256: Hex
  readonly path: string
  readonly inputs: readonly ValueInfo[]
  /** What the requester asked for, in model order, without the digest tensors. */
  readonly outputs: readonly ValueInfo[]
  /** At most two names; empty where the outputs themselves serve as the digest. */
  readonly digestTensors: readonly string[]
}

/** `inputs` in model order. */
export type ShardTask = { readonly index: number; readonly inputs: readonly Tensor[] }

/** `outputs` and `digest` in model order; `units` is 1 for a plain task. */
export type ShardResult = {
  readonly index: number
  readonly units: number
  readonly outputs: readonly Tensor[]
  readonly digest: readonly Tensor[]
}

export type RunShardOptions = { readonly signal: AbortSignal }

export type Backend = {
  /** Loads the model, so that the first task of a shard does not pay for it. */
  prepare(model: ModelArtifact): Promise<void>
  /** Yields one result a task in task order; while the caller handles one, the next is computed. */
  runShard(model: ModelArtifact, tasks: readonly ShardTask[], options: RunShardOptions): AsyncIterable<ShardResult>
  /**
   * Every wire of one task, for a dispute (R27). Optional: without it the worker traces the program itself, which is what
   * an honest backend wants.
   */
  trace?(program: Uint8Array, inputs: readonly Tensor[]): Promise<readonly Tensor[]>
  close(): Promise<void>
}
