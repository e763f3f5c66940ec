import type { Hex } from "viem"
import { type Piece, readPieces } from "#engine/tensor/pieces.ts"
import type { ArtifactStore } from "./artifactStore.ts"

/** What an artifact is made of: whoever may read the artifact may know. */
export type PiecesOf = (sha256: Hex) => Promise<readonly Piece[]>

const KEPT = 1_000

/** Hashed once for all who ask, for an artifact never changes; what was asked for longest ago is forgotten first. */
export function createPieces(artifacts: Pick<ArtifactStore, "file">): PiecesOf {
  const known = new Map<Hex, Promise<readonly Piece[]>>()
  return (sha256) => {
    const pieces = known.get(sha256) ?? artifacts.file(sha256).then(readPieces)
    known.delete(sha256)
    known.set(sha256, pieces)
    pieces.catch(() => known.delete(sha256))
    for (const oldest of known.keys()) {
      if (known.size <= KEPT) break
      known.delete(oldest)
    }
    return pieces
  }
}
