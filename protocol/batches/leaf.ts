import type { Address, Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"

/** What the chain commits to of one task (R4); the job comes from the batch. */
export type Leaf = {
  readonly taskIndex: number
  readonly worker: Address
  readonly units: number
  readonly inputCommitment: Hex
  readonly outputCommitment: Hex
}

export function leafHash(jobId: bigint, leaf: Leaf): Hex {
  checkUint("jobId", 192, jobId)
  checkUint("taskIndex", 32, leaf.taskIndex)
  checkUint("units", 32, leaf.units)
  return hashWords(
    TAGS.leaf,
    jobId,
    leaf.taskIndex,
    leaf.worker,
    leaf.units,
    leaf.inputCommitment,
    leaf.outputCommitment,
  )
}
