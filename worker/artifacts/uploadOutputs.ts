import type { Hex } from "viem"
import { createPieceBook, partsOf, piecesOf } from "#engine"
import type { ArtifactPatch } from "#protocol"
import { isTransient, type Peer } from "../api/peer.ts"
import { getPieces } from "../api/routes.ts"
import { LEAST_SHARED_BYTES } from "./cache.ts"

export type UploadOutputsParams = {
  readonly sha256: Hex
  readonly bytes: Uint8Array
  /** An artifact of the peer's whose tensors the outputs may repeat. */
  readonly expected: Hex | undefined
  readonly signal: AbortSignal
}

/** Sends what the peer has not got; what it refuses to put together is sent whole. */
export async function uploadOutputs({ peer }: { peer: Peer }, params: UploadOutputsParams): Promise<void> {
  const { sha256, bytes, signal } = params
  const patch = await patchOf(peer, params)
  if (patch) {
    try {
      return await peer.uploadPatch(sha256, { patch, bytes }, signal)
    } catch (error) {
      if (signal.aborted || isTransient(error)) throw error
    }
  }
  await peer.upload(sha256, bytes, signal)
}

async function patchOf(
  peer: Peer,
  { bytes, expected, signal }: UploadOutputsParams,
): Promise<ArtifactPatch | undefined> {
  if (!expected || bytes.byteLength < LEAST_SHARED_BYTES) return undefined
  const book = createPieceBook(Number.POSITIVE_INFINITY)
  book.learn(expected, (await getPieces(peer, expected, signal)) ?? [])
  const parts = partsOf(piecesOf(bytes), book.find)
  return parts && { parts: [...parts] }
}
