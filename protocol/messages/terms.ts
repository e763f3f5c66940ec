import { z } from "zod"
import {
  AddressSchema,
  Bytes32Schema,
  Uint8Schema,
  Uint16Schema,
  Uint32Schema,
  Uint64Schema,
  Uint96Schema,
} from "./fields.ts"

/** R1's Terms as JSON. What the values may be is `checkTerms`'s business: here they only have to fit their types. */
export const TermsSchema = z.object({
  version: Uint8Schema,
  kind: Uint8Schema,
  requester: AddressSchema,
  coordinator: AddressSchema,
  class: Uint8Schema,
  capability: Bytes32Schema,
  programRoot: Bytes32Schema,
  inputs: Bytes32Schema,
  tasks: Uint32Schema,
  shardSize: Uint16Schema,
  fee: Uint96Schema,
  maxUnits: Uint32Schema,
  auditRate: Uint16Schema,
  auditRatio: Uint16Schema,
  auditBase: Uint96Schema,
  auditBudget: Uint96Schema,
  coordinatorFee: Uint96Schema,
  valueAtRisk: Uint96Schema,
  deadline: Uint64Schema,
  specHash: Bytes32Schema,
})
