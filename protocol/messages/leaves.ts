import { z } from "zod"
import { MAX_SHARD_SIZE } from "../jobs/terms.ts"
import { Bytes32Schema, Uint32Schema } from "./fields.ts"

/**
 * A leaf as workers send it: the worker is the lease's. `digestPart` lets whoever has the outputs check
 * `outputCommitment` without the digest tensors, which are not uploaded.
 */
export const WireLeafSchema = z.object({
  taskIndex: Uint32Schema,
  units: Uint32Schema,
  inputCommitment: Bytes32Schema,
  outputCommitment: Bytes32Schema,
  digestPart: Bytes32Schema,
})
export type WireLeaf = z.output<typeof WireLeafSchema>

/** In task order, one a task of the shard. */
export const WireLeavesSchema = z.array(WireLeafSchema).min(1).max(MAX_SHARD_SIZE)
