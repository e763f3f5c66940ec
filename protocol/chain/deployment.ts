import { z } from "zod"
import { AddressSchema, Bytes32Schema } from "../messages/fields.ts"
import { ParamsSchema } from "./params.ts"

export const ContractsSchema = z.object({
  token: AddressSchema,
  registry: AddressSchema,
  market: AddressSchema,
  challenges: AddressSchema,
  jury: AddressSchema,
  game: AddressSchema,
  referee: AddressSchema,
  beacon: AddressSchema,
  models: AddressSchema,
})
export type Contracts = z.output<typeof ContractsSchema>

/** What `deploy` writes and every process starts from. The genesis tells one local chain from the next. */
export const DeploymentSchema = z.object({
  network: z.string().regex(/^[a-z0-9-]{1,32}$/),
  chainId: z.int().min(1),
  rpcUrl: z.url(),
  contracts: ContractsSchema,
  deployedBlock: z.int().min(0),
  genesisHash: Bytes32Schema,
  params: ParamsSchema,
})
export type Deployment = z.output<typeof DeploymentSchema>
