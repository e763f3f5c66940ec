import type { Hex } from "viem"
import { z } from "zod"
import { DTYPES, type Dtype } from "../commitments/tensor.ts"
import { formatBatchId, formatJobId } from "../jobs/ids.ts"

/**
 * The scalars of all messages, as codecs: `parse` turns JSON into what the code works with, `encode` turns it back.
 * On the wire integers beyond 2^53 are decimal strings and hashes, addresses and ids lower-case 0x-hex.
 */

type JsonSchema = Record<string, unknown>

/** Says what a schema looks like in an OpenAPI document where zod cannot know: the decoded side of a codec. */
function documented<T extends z.ZodType>(schema: T, json: JsonSchema): T {
  schema._zod.toJSONSchema = () => json
  return schema
}

function hexCodec(bytes: number, description: string) {
  const pattern = new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`)
  const json = { type: "string", pattern: `^0x[0-9a-f]{${bytes * 2}}$`, description }
  const isHex = (value: unknown) => typeof value === "string" && pattern.test(value)
  return z.codec(
    z.string().regex(pattern, `expected ${description} as 0x-hex`),
    documented(z.custom<Hex>(isHex, `expected ${description} as 0x-hex`), json),
    { decode: (value) => value.toLowerCase() as Hex, encode: (value) => value.toLowerCase() },
  )
}

export const Bytes32Schema = hexCodec(32, "32 bytes")
export const SignatureSchema = hexCodec(65, "a signature of 65 bytes")
/** Content addresses; the same form in paths, specs and messages. */
export const Sha256Schema = hexCodec(32, "a sha256")
export const AddressSchema = hexCodec(20, "an address")

/** An integer that does not fit a JSON number safely: a decimal string on the wire, a bigint here. */
function bigUint(bits: number) {
  const json = { type: "string", pattern: "^[0-9]{1,78}$", description: `uint${bits}, decimal` }
  const fits = (value: unknown) => typeof value === "bigint" && value >= 0n && value >> BigInt(bits) === 0n
  return z.codec(
    z.string().regex(/^[0-9]{1,78}$/, "expected a decimal string"),
    documented(z.custom<bigint>(fits, `expected at most ${bits} bits`), json),
    { decode: (value) => BigInt(value), encode: (value) => value.toString() },
  )
}

export const Uint40Schema = z
  .int()
  .min(0)
  .max(2 ** 40 - 1)
export const Uint64Schema = bigUint(64)
export const Uint96Schema = bigUint(96)
export const Uint256Schema = bigUint(256)
export const Uint8Schema = z.int().min(0).max(0xff)
export const Uint16Schema = z.int().min(0).max(0xffff)
export const Uint32Schema = z.int().min(0).max(0xffff_ffff)

/** Ids are hex for people and URLs; a decimal one, as explorers print them, is read too. */
function idCodec(bits: number, description: string, format: (id: bigint) => Hex) {
  const json = { type: "string", pattern: `^0x[0-9a-f]{${bits / 4}}$`, description }
  const fits = (value: unknown) => typeof value === "bigint" && value >= 0n && value >> BigInt(bits) === 0n
  const text = new RegExp(`^(0x[0-9a-fA-F]{1,${bits / 4}}|[0-9]{1,78})$`)
  return z.codec(
    z.string().regex(text, `expected ${description}`),
    documented(z.custom<bigint>(fits, `expected ${description}`), json),
    { decode: (value) => BigInt(value), encode: (value) => format(value) },
  )
}

export const JobIdSchema = idCodec(192, "a job id", formatJobId)
export const BatchIdSchema = idCodec(224, "a batch id", formatBatchId)
export const DisputeIdSchema = idCodec(256, "a dispute id", (id) => `0x${id.toString(16).padStart(64, "0")}`)

/** Views for people carry ISO 8601; signed structs carry seconds of chain time. */
export const TimeSchema = z.iso.datetime({ offset: true })

export const DtypeSchema = z.enum(DTYPES as unknown as readonly [Dtype, ...Dtype[]])

export const CodeSchema = z.string().regex(/^[A-Z][A-Z0-9_]{1,63}$/, "expected a code")
export const UrlSchema = z.url({ protocol: /^https?$/ }).max(2048)

/** A name or sentence that a peer chose: bounded, and without characters that could fake a line of a log. */
export function plainText(max: number) {
  return z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "control characters are refused")
}
