import { type Address, type Hex, isAddressEqual, recoverAddress, type TypedDataDomain } from "viem"
import { messageDigest } from "./digest.ts"
import type { MessageName, MessageOf } from "./types.ts"

/** Any key that can sign 32 bytes: viem's local accounts are such keys. */
export type Signer = { readonly address: Address; sign(params: { hash: Hex }): Promise<Hex> }

export type SignParams<K extends MessageName> = { domain: TypedDataDomain; type: K; message: MessageOf[K] }

export function signMessage<K extends MessageName>(signer: Signer, params: SignParams<K>): Promise<Hex> {
  return signer.sign({ hash: messageDigest(params.domain, params.type, params.message) })
}

const SIGNATURE = /^0x[0-9a-fA-F]{130}$/
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/**
 * True for signatures that the contracts accept: 65 bytes, low s, v 27 or 28. A service that stored any other form
 * would hold a receipt that is worth nothing on chain.
 */
export function isCanonicalSignature(signature: string): signature is Hex {
  if (!SIGNATURE.test(signature)) return false
  const v = Number.parseInt(signature.slice(130), 16)
  return (v === 27 || v === 28) && BigInt(`0x${signature.slice(66, 130)}`) <= HALF_ORDER
}

export type RecoverParams<K extends MessageName> = SignParams<K> & { signature: string }

/** The key that signed, or undefined where the signature is malformed or recovers to nothing (R8). */
export async function recoverSigner<K extends MessageName>(params: RecoverParams<K>): Promise<Address | undefined> {
  const { domain, type, message, signature } = params
  if (!isCanonicalSignature(signature)) return undefined
  const hash = messageDigest(domain, type, message)
  try {
    return await recoverAddress({ hash, signature })
  } catch {
    // r is no point of the curve: nobody signed this. That is an answer, not a failure.
    return undefined
  }
}

export type VerifySignedParams<K extends MessageName> = RecoverParams<K> & { signer: Address }

export async function isSignedBy<K extends MessageName>({
  signer,
  ...params
}: VerifySignedParams<K>): Promise<boolean> {
  const recovered = await recoverSigner(params)
  return recovered !== undefined && isAddressEqual(recovered, signer)
}
