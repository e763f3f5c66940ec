import { type Address, type Hex, type TypedDataDomain, zeroHash } from "viem"
import { z } from "zod"
import { keccakHex } from "../hashing/keccak.ts"
import { recoverSigner, type Signer, signMessage } from "./sign.ts"
import type { SignedRequest } from "./types.ts"

/** The headers of a signed HTTP request. */
export const REQUEST_HEADERS = {
  account: "x-assay-account",
  nonce: "x-assay-nonce",
  expiry: "x-assay-expiry",
  signature: "x-assay-signature",
} as const

/** How far ahead, in seconds of chain time, a request may expire: a nonce has to be remembered that long. */
export const MAX_REQUEST_SECONDS = 120

/** Over the raw bytes as sent, before any parsing; of no bytes where there is no body. */
export function requestBodyHash(body: Uint8Array | undefined): Hex {
  return keccakHex(body ?? new Uint8Array())
}

export type RequestParts = {
  method: string
  /** With the query string. */
  path: string
  /** `"streamed"` for artifacts: the path names the hash of the bytes, which are not held in memory to be hashed. */
  body: Uint8Array | "streamed" | undefined
  nonce: bigint
  expiry: bigint
}

export type SignRequestParams = RequestParts & { account: Address; signer: Signer; domain: TypedDataDomain }
export type RequestHeaders = Record<(typeof REQUEST_HEADERS)[keyof typeof REQUEST_HEADERS], string>

/** Signs for `account` with its own key or a session key of it. */
export async function signRequest({ account, signer, domain, ...parts }: SignRequestParams): Promise<RequestHeaders> {
  const signature = await signMessage(signer, { domain, type: "Request", message: requestMessage(parts) })
  return {
    [REQUEST_HEADERS.account]: account.toLowerCase(),
    [REQUEST_HEADERS.nonce]: parts.nonce.toString(),
    [REQUEST_HEADERS.expiry]: parts.expiry.toString(),
    [REQUEST_HEADERS.signature]: signature,
  }
}

const uint64 = z
  .string()
  .regex(/^[0-9]{1,20}$/)
  .transform((text) => BigInt(text))
  .refine((value) => value >> 64n === 0n)

/** Parses what `signRequest` made; other headers pass through untouched. */
export const RequestHeadersSchema = z.object({
  [REQUEST_HEADERS.account]: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .transform((text) => text.toLowerCase() as Address),
  [REQUEST_HEADERS.nonce]: uint64,
  [REQUEST_HEADERS.expiry]: uint64,
  [REQUEST_HEADERS.signature]: z.string().regex(/^0x[0-9a-fA-F]{130}$/),
})

export type RecoverRequestParams = Omit<RequestParts, "nonce" | "expiry"> & {
  domain: TypedDataDomain
  headers: Record<string, unknown>
}
export type RecoveredRequest = { account: Address; signer: Address; nonce: bigint; expiry: bigint }

/**
 * Who signed a request, or undefined where headers or signature are malformed. That `signer` may speak for `account`,
 * that the expiry lies within bounds and that the nonce is new is the caller's to check: it has the chain and a store.
 */
export async function recoverRequest(params: RecoverRequestParams): Promise<RecoveredRequest | undefined> {
  const { domain, headers, ...parts } = params
  const parsed = RequestHeadersSchema.safeParse(headers)
  if (!parsed.success) return undefined
  const account = parsed.data[REQUEST_HEADERS.account]
  const nonce = parsed.data[REQUEST_HEADERS.nonce]
  const expiry = parsed.data[REQUEST_HEADERS.expiry]
  const message = requestMessage({ ...parts, nonce, expiry })
  const signature = parsed.data[REQUEST_HEADERS.signature]
  const signer = await recoverSigner({ domain, type: "Request", message, signature })
  return signer && { account, signer, nonce, expiry }
}

function requestMessage({ method, path, body, nonce, expiry }: RequestParts): SignedRequest {
  const bodyHash = body === "streamed" ? zeroHash : requestBodyHash(body)
  return { method: method.toUpperCase(), path, bodyHash, nonce, expiry }
}
