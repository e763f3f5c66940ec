import assert from "node:assert/strict"
import test from "node:test"
import type { Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { isCanonicalSignature, isSignedBy, marketDomain, recoverSigner, signMessage } from "#protocol"
import { account, word } from "../support.ts"

const key = privateKeyToAccount(word("11"))
const domain = marketDomain({ chainId: 31337, market: account("0a") })
const message = { leaseHash: word("01"), shardRoot: word("02"), units: 3n }
const params = { domain, type: "Receipt", message } as const
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

test("behavior: the signer is recovered; a changed field, domain or type recovers another", async () => {
  const signature = await signMessage(key, params)
  assert.equal(await recoverSigner({ ...params, signature }), key.address)
  const other = { ...params, signature, message: { ...message, units: 4n } }
  assert.equal(await isSignedBy({ ...other, signer: key.address }), false)
  const elsewhere = { ...params, signature, domain: { ...domain, chainId: 1 } }
  assert.equal(await isSignedBy({ ...elsewhere, signer: key.address }), false)
})

test("error: forms that the contracts refuse are refused here, though they would recover (R8)", async () => {
  const signature = await signMessage(key, params)
  const r = signature.slice(2, 66)
  const s = BigInt(`0x${signature.slice(66, 130)}`)
  const v = Number.parseInt(signature.slice(130), 16)
  const highS: Hex = `0x${r}${(ORDER - s).toString(16).padStart(64, "0")}${(55 - v).toString(16)}`
  const parityV: Hex = `0x${signature.slice(2, 130)}0${v - 27}`
  const compact: Hex = `0x${signature.slice(2, 130)}`
  for (const bad of [highS, parityV, compact, "0x", "no", `${signature}00`]) {
    assert.equal(isCanonicalSignature(bad), false)
    assert.equal(await recoverSigner({ ...params, signature: bad }), undefined)
  }
  assert.equal(isCanonicalSignature(signature), true)
})

test("error: a point that is not on the curve is signed by nobody", async () => {
  const none: Hex = `0x${"00".repeat(32)}${"01".padStart(64, "0")}1b`
  assert.equal(await recoverSigner({ ...params, signature: none }), undefined)
})
