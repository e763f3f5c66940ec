import { z } from "zod"
import { ContractsSchema } from "../chain/deployment.ts"
import { ParamsSchema } from "../chain/params.ts"
import { AddressSchema, Bytes32Schema, Uint40Schema, Uint96Schema } from "./fields.ts"
import { MemorySchema, ProfileSchema } from "./spec.ts"

const CountSchema = z.int().min(0)

export const CapabilityInfoSchema = z.object({
  capability: Bytes32Schema,
  profile: ProfileSchema,
  memoryGiB: MemorySchema,
  seats: CountSchema,
  owners: CountSchema,
  largestOwnerSeats: CountSchema,
})
export type CapabilityInfo = z.output<typeof CapabilityInfoSchema>

/** GET /v1/info */
export const InfoSchema = z.object({
  version: z.string(),
  network: z.string(),
  chainId: z.int(),
  contracts: ContractsSchema,
  deployedBlock: CountSchema,
  coordinator: AddressSchema,
  sessionKey: AddressSchema,
  params: ParamsSchema,
  limits: z.object({
    artifactBytes: CountSchema,
    modelBytes: CountSchema,
    inputBytes: CountSchema,
    tasksPerJob: CountSchema,
    shardSizeMax: CountSchema,
  }),
  policy: z.object({
    minFee: Uint96Schema,
    coordinatorFee: Uint96Schema,
    leaseSeconds: CountSchema,
    batchMaxShards: CountSchema,
    batchMaxAgeSeconds: CountSchema,
  }),
  capabilities: z.array(CapabilityInfoSchema),
  workers: z.object({ online: CountSchema, free: CountSchema }),
  /** Seconds of the latest block: the clock of everything that is signed. */
  chainTime: Uint40Schema,
})
export type Info = z.output<typeof InfoSchema>
