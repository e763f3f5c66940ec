import { type Address, isAddressEqual, type TypedDataDomain } from "viem"
import { MAX_REQUEST_SECONDS, recoverRequest } from "#protocol"
import type { Chain } from "../chain/chain.ts"
import { workerError } from "../errors.ts"
import { keyHolder } from "../join/checkCoordinator.ts"

export type AuthParams = {
  method: string
  path: string
  headers: Record<string, unknown>
  body: Uint8Array | undefined
}
export type Authenticate = (params: AuthParams) => Promise<Address>

export type AuthDeps = { chain: Chain; domain: TypedDataDomain; now: () => bigint }

const CLOCK_SLACK_SECONDS = 5n

/** Signed requests as at a coordinator; nonces live in memory, since a request lives two minutes at most. */
export function createAuthenticate({ chain, domain, now }: AuthDeps): Authenticate {
  const seen = new Map<string, bigint>()

  function useOnce(account: Address, nonce: bigint, expiry: bigint): boolean {
    for (const [key, until] of seen) if (until < now()) seen.delete(key)
    const key = `${account} ${nonce}`
    if (seen.has(key)) return false
    seen.set(key, expiry + CLOCK_SLACK_SECONDS)
    return true
  }

  return async (params) => {
    const request = await recoverRequest({ domain, ...params })
    if (!request) throw workerError("E_AUTH_SIGNATURE", "the request is not signed, or badly")
    const { account, signer, nonce, expiry } = request
    const time = now()
    const latest = time + BigInt(MAX_REQUEST_SECONDS) + CLOCK_SLACK_SECONDS
    if (expiry + CLOCK_SLACK_SECONDS < time || expiry > latest) {
      throw workerError("E_AUTH_EXPIRED", `the request's expiry ${expiry} does not fit the chain time ${time}`)
    }
    if (!isAddressEqual(signer, account) && !isAddressEqual(await keyHolder(chain, signer), account)) {
      throw workerError("E_AUTH_SIGNATURE", "the signer is neither the account nor a session key of it")
    }
    if (!useOnce(account, nonce, expiry)) throw workerError("E_AUTH_NONCE", "this request was seen before")
    return account
  }
}
