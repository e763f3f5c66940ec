import { z } from "zod"
import { Sha256Schema } from "./fields.ts"

/** More tensors of 16 KiB than an artifact has room for. */
const MAX_PIECES = 65_536

/**
 * GET /v1/artifacts/:sha256/pieces: what the artifact is made of, in order and without gaps. Whoever has some of it in
 * other artifacts asks for the rest alone, by ranges, and holds the whole against its hash.
 */
export const ArtifactPiecesSchema = z.object({
  pieces: z.array(z.object({ sha256: Sha256Schema, bytes: z.int().min(1) })).max(MAX_PIECES),
})
export type ArtifactPieces = z.output<typeof ArtifactPiecesSchema>
