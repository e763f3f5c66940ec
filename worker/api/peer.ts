import { randomBytes } from "node:crypto"
import { type Address, type Hex, hexToBigInt, type TypedDataDomain } from "viem"
import { z } from "zod"
import {
  type ArtifactPatch,
  encodePatch,
  type RequestHeaders,
  type RequestParts,
  type Signer,
  signRequest,
} from "#protocol"
import type { ByteRange } from "../artifacts/pieces.ts"
import { WorkerError, workerError } from "../errors.ts"

/** A coordinator, or a worker that committed for itself: whoever answers the messages of the protocol at a URL. */
export type Peer = {
  readonly url: string
  /** Undefined when there is nothing (204). */
  ask<T>(request: AskParams<T>): Promise<T | undefined>
  /** The whole, or a range of its bytes. */
  download(sha256: Hex, signal: AbortSignal, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
  upload(sha256: Hex, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /** The same for bytes of which the peer has some in other artifacts. */
  uploadPatch(sha256: Hex, upload: { patch: ArtifactPatch; bytes: Uint8Array }, signal: AbortSignal): Promise<void>
}

export type AskParams<T> = {
  method: "GET" | "POST"
  path: string
  /** JSON already: what a message schema's encode gave. */
  body?: unknown
  schema: z.ZodType<T>
  signal: AbortSignal
  /** Longest silence; a long poll states its own. */
  timeoutMs?: number
}

export type PeerOptions = {
  url: string
  account: Address
  signer: Signer
  domain: TypedDataDomain
  /** Chain time in seconds: what the expiry of a request is measured in. */
  now: () => bigint
}

const TIMEOUT_MS = 15_000
const TRANSFER_TIMEOUT_MS = 300_000
const MAX_JSON_BYTES = 32 * 1024 * 1024
const REQUEST_LIFE_SECONDS = 60n

const ErrorBody = z.object({ code: z.string().regex(/^E_[A-Z0-9_]{1,60}$/), message: z.string() })

export function createPeer({ url, account, signer, domain, now }: PeerOptions): Peer {
  const base = new URL(url)

  function headersFor(method: string, path: string, body: RequestParts["body"]): Promise<RequestHeaders> {
    const nonce = hexToBigInt(`0x${randomBytes(8).toString("hex")}`)
    const expiry = now() + REQUEST_LIFE_SECONDS
    return signRequest({ account, signer, domain, method, path, body, nonce, expiry })
  }

  type SendParams = { method: string; path: string; body: RequestParts["body"]; init: RequestInit; timeoutMs: number }
  async function send({ method, path, body, init, timeoutMs }: SendParams, signal: AbortSignal) {
    // What is signed is what goes over the wire: a base URL with a path of its own is part of it.
    const target = new URL(base.pathname.replace(/\/$/, "") + path, base)
    const headers = await headersFor(method, target.pathname + target.search, body)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    let response: Response
    try {
      response = await fetch(target, {
        ...init,
        method,
        headers: { ...headers, ...init.headers },
        signal: limit,
        redirect: "error",
      })
    } catch (cause) {
      signal.throwIfAborted()
      throw peerDown(base.origin, cause)
    }
    if (!response.ok) throw await refusal(response, base.origin)
    return response
  }

  async function put(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const init: RequestInit = {
      body: bytes as Uint8Array<ArrayBuffer>,
      headers: { "content-type": "application/octet-stream" },
    }
    // The hash in the path binds what is stored, so that the body need not be read twice.
    const request = { method: "PUT", path, body: "streamed" as const, init }
    const response = await send({ ...request, timeoutMs: TRANSFER_TIMEOUT_MS }, signal)
    await response.body?.cancel()
  }

  return {
    url,
    async ask({ method, path, body, schema, signal, timeoutMs = TIMEOUT_MS }) {
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
      const init: RequestInit = bytes ? { body: bytes, headers: { "content-type": "application/json" } } : {}
      const response = await send({ method, path, body: bytes, init, timeoutMs }, signal)
      if (response.status === 204) return undefined
      const text = await readLimited(response, base.origin, signal)
      const parsed = schema.safeParse(parseJson(text))
      if (!parsed.success) {
        const where = parsed.error.issues[0]
        throw workerError(
          "E_PEER_MESSAGE",
          `${base.origin} answered ${path} with a message that this version does not understand` +
            ` (${where?.path.join(".")}: ${where?.message})`,
          { cause: parsed.error },
        )
      }
      return parsed.data
    },
    async download(sha256, signal, range) {
      const path = `/v1/artifacts/${sha256}`
      const init: RequestInit = range ? { headers: { range: `bytes=${range.from}-${range.to}` } } : {}
      const request = { method: "GET", path, body: undefined, init }
      const response = await send({ ...request, timeoutMs: TRANSFER_TIMEOUT_MS }, signal)
      if (!response.body) throw workerError("E_PEER_MESSAGE", `${base.origin} sent no bytes of ${sha256}`)
      return response.body
    },
    upload: (sha256, bytes, signal) => put(`/v1/artifacts/${sha256}`, bytes, signal),
    uploadPatch: (sha256, { patch, bytes }, signal) =>
      put(`/v1/artifacts/${sha256}/patch`, encodePatch(patch, bytes), signal),
  }
}

/** True for what may go better on another attempt: silence, an overloaded peer, a fault on its side. */
export function isTransient(error: unknown): boolean {
  return error instanceof WorkerError && (error.code === "E_COORDINATOR_DOWN" || error.detail.facts?.transient === true)
}

function peerDown(origin: string, cause: unknown) {
  return workerError("E_COORDINATOR_DOWN", `${origin} does not answer`, {
    remedy: "is the coordinator running, and the URL right?",
    facts: { transient: true },
    cause,
  })
}

async function refusal(response: Response, origin: string): Promise<WorkerError> {
  const text = await readLimited(response, origin, AbortSignal.timeout(TIMEOUT_MS)).catch(() => "")
  const body = ErrorBody.safeParse(parseJson(text))
  const transient = response.status >= 500 || response.status === 429
  const facts = { status: response.status, transient }
  if (body.success) return workerError(body.data.code, body.data.message.slice(0, 500), { facts })
  const code = response.status >= 500 ? "E_COORDINATOR_DOWN" : "E_PEER_MESSAGE"
  return workerError(code, `${origin} answered with status ${response.status}`, { facts })
}

async function readLimited(response: Response, origin: string, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength
      if (size > MAX_JSON_BYTES) break
      chunks.push(chunk)
    }
  } catch (cause) {
    signal.throwIfAborted()
    throw peerDown(origin, cause)
  }
  if (size > MAX_JSON_BYTES) {
    throw workerError("E_PEER_MESSAGE", `${origin} sent more than ${MAX_JSON_BYTES} bytes of JSON`)
  }
  return Buffer.concat(chunks).toString("utf8")
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No JSON is one more way not to fit the schema.
    return undefined
  }
}
