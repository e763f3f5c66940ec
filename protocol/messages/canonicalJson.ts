import type { Hex } from "viem"
import { sha256 } from "../commitments/shaTree.ts"
import { CodedError } from "../errors/codedError.ts"
import { hexOf } from "../hashing/hex.ts"

export type CanonicalErrorDetail = { code: "E_JSON_NOT_CANONICAL"; at: string; message: string }
export class CanonicalError extends CodedError<CanonicalErrorDetail> {}

/**
 * One byte string a value, so that a hash of JSON means something: keys sorted by code unit, no blanks, UTF-8, integers
 * only. (RFC 8785 without its fractions: nothing that is hashed here has any.)
 */
export function canonicalJson(value: unknown): Uint8Array {
  return Buffer.from(write(value, "$"), "utf8")
}

export function canonicalSha256(value: unknown): Hex {
  return hexOf(sha256(canonicalJson(value)))
}

function write(value: unknown, at: string): string {
  if (value === null || typeof value === "boolean") return String(value)
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value)
  if (Array.isArray(value)) return `[${value.map((item, i) => write(item, `${at}[${i}]`)).join(",")}]`
  if (typeof value === "object" && value !== undefined) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined)
    fields.sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${write(field, `${at}.${key}`)}`).join(",")}}`
  }
  const message = `${at} is a ${typeof value} (${String(value)}), which canonical JSON has no form for`
  throw new CanonicalError({ code: "E_JSON_NOT_CANONICAL", at, message })
}
