import { lt } from "drizzle-orm"
import type { FastifyRequest } from "fastify"
import { type Address, isAddressEqual, type TypedDataDomain } from "viem"
import { MAX_REQUEST_SECONDS, REQUEST_HEADERS, recoverRequest } from "#protocol"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { requestNonces } from "../store/schema.ts"
import type { ChainView } from "../workers/chainView.ts"

export type AuthDeps = {
  db: Db
  domain: TypedDataDomain
  view: Pick<ChainView, "accountOf">
  /** Chain time. */
  now: () => number
}

/** What the clocks of two honest sides may differ by, in seconds. */
const CLOCK_SLACK = 5

/**
 * Who signed a request: an account itself or one of its session keys. A signed request is good once (its nonce is kept
 * until it expires) and for two minutes at most. `streamed` bodies are bound by the hash in their path.
 */
export async function authenticate(
  { db, domain, view, now }: AuthDeps,
  request: FastifyRequest,
  body: Uint8Array | "streamed" | undefined,
): Promise<Address> {
  if (request.headers[REQUEST_HEADERS.signature] === undefined) {
    throw refuse("E_AUTH_MISSING", "this path wants a signed request: the x-assay-* headers are missing")
  }
  const { method, url: path, headers } = request
  const recovered = await recoverRequest({ domain, headers, method, path, body })
  if (!recovered) throw refuse("E_AUTH_SIGNATURE", "the request's signature or its headers are malformed")
  const { account, signer, nonce } = recovered
  const expiry = Number(recovered.expiry)
  const time = now()
  if (expiry < time - CLOCK_SLACK) {
    throw refuse("E_AUTH_EXPIRED", `the request expired at ${expiry}; chain time is ${time}`, {
      expiry,
      chainTime: time,
    })
  }
  if (expiry > time + MAX_REQUEST_SECONDS + CLOCK_SLACK) {
    const message = `the request expires at ${expiry}, more than ${MAX_REQUEST_SECONDS} s after chain time ${time}`
    throw refuse("E_AUTH_EXPIRED", message, { expiry, chainTime: time })
  }
  if (!isAddressEqual(signer, account)) {
    const owner = await view.accountOf(signer.toLowerCase() as Address)
    if (!owner || !isAddressEqual(owner, account)) {
      const message = "the request is signed neither by the account nor by a session key that it registered"
      throw refuse("E_AUTH_SIGNATURE", message, { account, signer })
    }
  }
  // Last: only a request that is good in every other way may use up a nonce, and the insert decides between two copies.
  const fresh = await db
    .insert(requestNonces)
    .values({ account, nonce, expiry })
    .onConflictDoNothing()
    .returning({ nonce: requestNonces.nonce })
  if (fresh.length === 0) throw refuse("E_AUTH_NONCE", "this request was seen before: sign a new one")
  return account
}

/** Nonces of requests that nobody can send again. */
export async function dropOldNonces(db: Db, now: number): Promise<void> {
  await db.delete(requestNonces).where(lt(requestNonces.expiry, now - 2 * CLOCK_SLACK))
}
