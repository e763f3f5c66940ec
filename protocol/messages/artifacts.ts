import { z } from "zod"
import { Sha256Schema } from "./fields.ts"

/** Of at least 16 KiB each, and what is between them: those of 1 GiB. */
const MAX_PIECES = 131_072
const LengthSchema = z.int().min(1)

/**
 * GET /v1/artifacts/:sha256/pieces: what the artifact is made of, in order and without gaps. Whoever has some of it in
 * other artifacts asks for the rest alone, by ranges, and holds the whole against its hash.
 */
export const ArtifactPiecesSchema = z.object({
  pieces: z.array(z.object({ sha256: Sha256Schema, bytes: LengthSchema })).max(MAX_PIECES),
})
export type ArtifactPieces = z.output<typeof ArtifactPiecesSchema>

/**
 * PUT /v1/artifacts/:sha256/patch: an artifact by its parts, in order. A part with a place is taken from an artifact that
 * the sender may read; the bytes of the others follow. The body: 4 bytes with the length of this as JSON, little-endian,
 * the JSON, those bytes.
 */
export const ArtifactPatchSchema = z.object({
  parts: z
    .array(
      z.object({
        bytes: LengthSchema,
        place: z.object({ file: Sha256Schema, from: z.int().min(0) }).optional(),
      }),
    )
    .min(1)
    .max(MAX_PIECES),
})
export type ArtifactPatch = z.output<typeof ArtifactPatchSchema>

/** The body of a patch that makes these bytes. */
export function encodePatch(patch: Readonly<ArtifactPatch>, bytes: Uint8Array): Uint8Array {
  const json = Buffer.from(JSON.stringify(z.encode(ArtifactPatchSchema, patch)))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(json.byteLength)
  let at = 0
  const sent = patch.parts.flatMap(({ bytes: count, place }) => {
    const part = bytes.subarray(at, at + count)
    at += count
    return place ? [] : [part]
  })
  return new Uint8Array(Buffer.concat([length, json, ...sent]))
}
