import type { Hex } from "viem"
import { z } from "zod"
import { sha256 } from "../commitments/shaTree.ts"
import { CodedError } from "../errors/codedError.ts"
import { hexOf } from "../hashing/hex.ts"
import { MEMORY_TIERS, PROFILES } from "../jobs/capability.ts"
import { canonicalJson } from "./canonicalJson.ts"
import { DtypeSchema, plainText, Sha256Schema } from "./fields.ts"

export const PortSchema = z.object({
  name: z.string().min(1).max(512),
  dtype: DtypeSchema,
  dims: z.array(z.int().min(0)).max(32),
})
/** An input or output of a model: its name, element type and static shape. */
export type Port = z.output<typeof PortSchema>

export const ProfileSchema = z.enum(PROFILES)
export const MemorySchema = z.literal(MEMORY_TIERS)
export const CapabilityFieldsSchema = z.object({ profile: ProfileSchema, memoryGiB: MemorySchema })

/** What a job runs, as an artifact; `Terms.specHash` is the sha256 of its canonical JSON. */
export const SpecSchema = z.object({
  version: z.literal(0),
  title: plainText(200).optional(),
  /** Anyone may see inputs, and a task's salt once its batch is attested: anyone may compute it again and dispute it. */
  public: z.literal(true).optional(),
  model: z.object({
    sha256: Sha256Schema,
    bytes: z.int().min(1),
    inputs: z.array(PortSchema).min(1).max(256),
    outputs: z.array(PortSchema).min(1).max(256),
    digestTensors: z.array(z.string().min(1).max(512)).max(2),
  }),
  capability: CapabilityFieldsSchema,
  /** One bundle of inputs a shard, tensors named `<taskIndex>/<input>`. */
  shards: z
    .array(z.object({ inputs: Sha256Schema, bytes: z.int().min(1) }))
    .min(1)
    .max(1_000_000),
})
export type Spec = z.output<typeof SpecSchema>

export type SpecErrorDetail = { code: "E_SPEC_INVALID"; message: string }
export class SpecError extends CodedError<SpecErrorDetail> {}

export function encodeSpec(spec: Spec): Uint8Array {
  return canonicalJson(z.encode(SpecSchema, spec))
}

export function specHash(spec: Spec): Hex {
  return hexOf(sha256(encodeSpec(spec)))
}

/** Reads a spec artifact; bytes that are not its canonical form would have another hash elsewhere, so they are refused. */
export function parseSpec(bytes: Uint8Array): Spec {
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"))
  } catch (cause) {
    throw new SpecError({ code: "E_SPEC_INVALID", message: "the spec is not JSON" }, { cause })
  }
  const parsed = SpecSchema.safeParse(json)
  if (!parsed.success) {
    const message = `the spec is malformed: ${z.prettifyError(parsed.error)}`
    throw new SpecError({ code: "E_SPEC_INVALID", message }, { cause: parsed.error })
  }
  if (!Buffer.from(encodeSpec(parsed.data)).equals(bytes)) {
    throw new SpecError({ code: "E_SPEC_INVALID", message: "the spec is not in canonical form" })
  }
  return parsed.data
}

/** How a task's tensors are named in the bundle of its shard. */
export function bundleName(taskIndex: number, name: string): string {
  return `${taskIndex}/${name}`
}
