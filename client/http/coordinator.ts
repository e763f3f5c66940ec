import { randomBytes } from "node:crypto"
import type { Address, Hex, TypedDataDomain } from "viem"
import { z } from "zod"
import { createPieceBook, type FilePart, partsOf, piecesOf } from "#engine"
import {
  ArtifactPiecesSchema,
  ErrorBodySchema,
  encodePatch,
  hexOf,
  MAX_REQUEST_SECONDS,
  type Signer,
  sha256,
  signRequest,
} from "#protocol"
import { ClientError, clientError } from "../errors.ts"
import { createHeldArtifacts } from "./heldArtifacts.ts"

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
  /**
   * Checked against its hash: what a coordinator hands out is what was asked for, or an error. What may share tensors
   * with artifacts that went through here is asked for by its parts.
   */
  getArtifact(sha256: Hex, options?: CallOptions & { isShared?: boolean }): Promise<Uint8Array>
}

export type CallOptions = { signal?: AbortSignal; signed?: boolean }

type Call = CallOptions & {
  method: string
  path: string
  body?: Uint8Array
  type?: string
  streamed?: boolean
  /** `bytes=FROM-TO` */
  range?: string
}

const TIMEOUT_MS = 60_000
/** What is smaller is sent sooner than it is looked for. */
const LEAST_SHARED_BYTES = 64 * 1024
const KEPT = { pieces: 50_000, bytes: 256 * 1024 ** 2 }

export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  const base = deps.url.replace(/\/+$/, "")
  const uploaded = createPieceBook(KEPT.pieces)
  const held = createHeldArtifacts(KEPT.bytes)

  async function headersOf(call: Call): Promise<Record<string, string>> {
    const headers: Record<string, string> = {
      ...(call.type ? { "content-type": call.type } : {}),
      ...(call.range ? { range: call.range } : {}),
    }
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

  async function download(hash: Hex, options: CallOptions, range?: string): Promise<Uint8Array> {
    const call = { signed: deps.identity !== undefined, ...options, method: "GET", path: `/v1/artifacts/${hash}` }
    const response = await send({ ...call, ...(range ? { range } : {}) })
    return new Uint8Array(await response.arrayBuffer())
  }

  /** Undefined where nothing of it is here, or what was put together is something else. */
  async function putTogether(hash: Hex, options: CallOptions): Promise<Uint8Array | undefined> {
    const call = { signed: deps.identity !== undefined, ...options, method: "GET" }
    const { pieces } = await json({ ...call, path: `/v1/artifacts/${hash}/pieces` }, ArtifactPiecesSchema)
    const found: Uint8Array[] = []
    let at = 0
    for (const { bytes, place } of held.plan(pieces) ?? []) {
      found.push(
        place
          ? held.get(place.file)!.subarray(place.from, place.from + bytes)
          : await download(hash, options, `bytes=${at}-${at + bytes - 1}`),
      )
      at += bytes
    }
    const whole = new Uint8Array(Buffer.concat(found))
    return hexOf(sha256(whole)) === hash ? whole : undefined
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
      held.keep(hash, bytes, pieces)
      return hash
    },
    async getArtifact(hash, { isShared = false, ...options } = {}) {
      const before = held.get(hash) ?? (isShared ? await putTogether(hash, options) : undefined)
      const bytes = before ?? (await download(hash, options))
      const got = hexOf(sha256(bytes))
      if (got !== hash) {
        const message = `the coordinator sent bytes with sha256 ${got} where ${hash} was asked for`
        throw clientError("E_ARTIFACT_HASH", message)
      }
      if (isShared) held.keep(hash, bytes, piecesOf(bytes))
      return bytes
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
