import type { Hex } from "viem"
import {
  buildShardTree,
  type DigestKey,
  digestPart,
  inputCommitment,
  joinOutput,
  keyedDigest,
  type Leaf,
  outputCommitment,
  outputPart,
  type SumNode,
  type TaskResult,
  type Tensor,
} from "#protocol"

export type SaltedInputs = { salt: Hex; inputs: readonly Tensor[] }

/** What the hashing thread can be asked for; pure, and called by name across the thread's border. */
export const HASH_TASKS = {
  inputCommitments: (tasks: readonly SaltedInputs[]): Hex[] =>
    tasks.map(({ salt, inputs }) => inputCommitment(salt, inputs)),
  /** The digest part goes along, so that who has only the outputs can check the commitment. */
  output: ({ salt, result }: { salt: Hex; result: TaskResult }) => {
    const digest = digestPart(salt, result.digests)
    return { outputCommitment: joinOutput(outputPart(salt, result.outputs), digest), digestPart: digest }
  },
  verdict: ({ salt, result, key }: { salt: Hex; result: TaskResult; key: DigestKey }) => ({
    outputCommitment: outputCommitment(salt, result),
    keyedDigest: keyedDigest(salt, result, key),
  }),
  shardRoot: (params: { jobId: bigint; shardSize: number; leaves: readonly Leaf[] }): SumNode =>
    buildShardTree(params).root,
} as const

export type HashTasks = typeof HASH_TASKS
export type HashTaskName = keyof HashTasks
export type HashRequest = { id: number; name: HashTaskName; params: unknown }
export type HashReply = { id: number; value?: unknown; error?: { message: string; stack?: string } }
