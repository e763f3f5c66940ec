import { randomBytes } from "node:crypto"
import type { Address, Hex, TypedDataDomain } from "viem"
import { z } from "zod"
import { createPieceBook, type FilePart, partsOf, piecesOf } from "#engine"
import { ErrorBodySchema, encodePatch, hexOf, MAX_REQUEST_SECONDS, type Signer, sha256, signRequest } from "#protocol"
import { ClientError, clientError } from "../errors.ts"

/** Who signs requests, and for which deployment. */
export type Identity = { readonly account: Address; readonly signer: Signer; readonly domain: TypedDataDomain }

export type CoordinatorDeps = {
  readonly url: string
  readonly identity: Identity | undefined
  /** Chain time in seconds: what a signed request's expiry is reckoned in. */
  readonly chainTime: () => Promise<bigint>
}

export type Coordinator = {
  readonly url: string
  /** The same caller, talking to another server of the same messages: a worker that commits for itself. */
  at(url: string): Coordinator
  get<S extends z.ZodType>(path: string, schema: S, options?: CallOptions): Promise<z.output<S>>
  post<S extends z.ZodType>(path: string, schema: S, body: unknown, options?: CallOptions): Promise<z.output<S>>
  /** Sends what was not sent before, alone or as a tensor of another artifact. */
  putArtifact(bytes: Uint8Array, options?: CallOptions): Promise<Hex>
  /** Checked against its hash: what a coordinator hands out is what was asked for, or an error. */
  getArtifact(sha256: Hex, options?: CallOptions): Promise<Uint8Array>
}

export type CallOptions = { signal?: AbortSignal; signed?: boolean }

type Call = CallOptions & { method: string; path: string; body?: Uint8Array; type?: string; streamed?: boolean }

const TIMEOUT_MS = 60_000
/** What is smaller is sent sooner than it is looked for. */
const LEAST_SHARED_BYTES = 64 * 1024
const KEPT_PIECES = 50_000

export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  const base = deps.url.replace(/\/+$/, "")
  const uploaded = createPieceBook(KEPT_PIECES)

  async function headersOf(call: Call): Promise<Record<string, string>> {
    const headers: Record<string, string> = call.type ? { "content-type": call.type } : {}
    if (!call.signed) return headers
    if (!deps.identity) throw clientError("E_NO_ACCOUNT", `${call.method} ${call.path} must be signed: give an account`)
    const { method, path } = call
    const signed = await signRequest({
      ...deps.identity,
      method,
      path,
      body: call.streamed ? "streamed" : call.body,
      nonce: randomBytes(8).readBigUInt64BE(),
      expiry: (await deps.chainTime()) + BigInt(MAX_REQUEST_SECONDS / 2),
    })
    return { ...headers, ...signed }
  }

  async function send(call: Call): Promise<Response> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    const signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout
    const headers = await headersOf(call)
    let response: Response
    try {
      response = await fetch(base + call.path, { method: call.method, headers, body: call.body ?? null, signal })
    } catch (cause) {
      call.signal?.throwIfAborted()
      const message = `the coordinator at ${base} does not answer: is it running, and is the URL right?`
      throw clientError("E_COORDINATOR_DOWN", message, { cause })
    }
    if (!response.ok) throw await refusalOf(response, call)
    return response
  }

  async function json<S extends z.ZodType>(call: Call, schema: S): Promise<z.output<S>> {
    const response = await send(call)
    const parsed = schema.safeParse(await response.json())
    if (parsed.success) return parsed.data
    const message = `the coordinator's answer to ${call.method} ${call.path} is not what the protocol says: ${z.prettifyError(parsed.error)}`
    throw clientError("E_COORDINATOR_ANSWER", message, { cause: parsed.error })
  }

  const patchOf = (parts: readonly FilePart[], bytes: Uint8Array) => encodePatch({ parts: [...parts] }, bytes)

  return {
    url: base,
    at: (url) => createCoordinator({ ...deps, url }),
    get: (path, schema, options) => json({ ...options, method: "GET", path }, schema),
    post: (path, schema, body, options) =>
      json(
        {
          signed: true,
          ...options,
          method: "POST",
          path,
          body: Buffer.from(JSON.stringify(body)),
          type: "application/json",
        },
        schema,
      ),
    async putArtifact(bytes, options) {
      const hash = hexOf(sha256(bytes))
      const path = `/v1/artifacts/${hash}`
      const call = { ...options, method: "PUT", type: "application/octet-stream", signed: true, streamed: true }
      const pieces = bytes.byteLength < LEAST_SHARED_BYTES ? [] : piecesOf(bytes)
      const parts = partsOf(pieces, uploaded.find)
      const isPatched = parts && (await isTaken(send({ ...call, path: `${path}/patch`, body: patchOf(parts, bytes) })))
      if (!isPatched) await send({ ...call, path, body: bytes })
      uploaded.learn(hash, pieces)
      return hash
    },
    async getArtifact(hash, options) {
      const path = `/v1/artifacts/${hash}`
      const response = await send({ signed: deps.identity !== undefined, ...options, method: "GET", path })
      const bytes = new Uint8Array(await response.arrayBuffer())
      const got = hexOf(sha256(bytes))
      if (got === hash) return bytes
      throw clientError("E_ARTIFACT_HASH", `the coordinator sent bytes with sha256 ${got} where ${hash} was asked for`)
    },
  }
}

/** What the coordinator cannot put together, for it no longer has a part of it say, is sent whole. */
async function isTaken(sending: Promise<unknown>): Promise<boolean> {
  try {
    await sending
    return true
  } catch (error) {
    if (error instanceof ClientError && (error.detail.status ?? 500) < 500) return false
    throw error
  }
}

async function refusalOf(response: Response, call: Call): Promise<ClientError> {
  const text = await response.text()
  const { status } = response
  const body = ErrorBodySchema.safeParse(parseJson(text))
  if (body.success) return new ClientError({ ...body.data, status })
  const message = `the coordinator answered ${call.method} ${call.path} with status ${status}: ${text.slice(0, 200)}`
  return new ClientError({ code: "E_COORDINATOR_ANSWER", message, status })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's HTML page, say: the caller reports status and text instead.
    return undefined
  }
}
