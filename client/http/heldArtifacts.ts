import type { Hex } from "viem"
import { createPieceBook, type FilePart, type Piece, partsOf } from "#engine"

/** Artifacts that went through this process, the newest of them: what has a hash never changes. */
export type HeldArtifacts = {
  get(sha256: Hex): Uint8Array | undefined
  keep(sha256: Hex, bytes: Uint8Array, pieces: readonly Piece[]): void
  /** How an artifact of these pieces comes of them; undefined where nothing of it is here. */
  plan(pieces: readonly Piece[]): readonly FilePart[] | undefined
}

const MOST_PIECES = 50_000

export function createHeldArtifacts(mostBytes: number): HeldArtifacts {
  const held = new Map<Hex, Uint8Array>()
  const book = createPieceBook(MOST_PIECES)
  let total = 0

  return {
    get: (sha256) => held.get(sha256),
    keep(sha256, bytes, pieces) {
      if (held.has(sha256) || bytes.byteLength > mostBytes) return
      held.set(sha256, bytes)
      total += bytes.byteLength
      book.learn(sha256, pieces)
      for (const [oldest, { byteLength }] of held) {
        if (total <= mostBytes) break
        held.delete(oldest)
        book.forget(oldest)
        total -= byteLength
      }
    },
    plan: (pieces) => partsOf(pieces, book.find),
  }
}
