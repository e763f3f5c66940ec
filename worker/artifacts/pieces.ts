import { createReadStream } from "node:fs"
import type { Hex } from "viem"
import { createPieceBook, type FilePart, type Piece, partsOf, readPieces } from "#engine"

/** First and last byte, both included. */
export type ByteRange = { readonly from: number; readonly to: number }

/**
 * What the artifacts of this disk are made of, so that what a new one shares with them need not be sent for. A hint and
 * nothing more: what is put together is held against its hash, like what came whole.
 */
export type PieceIndex = {
  learn(artifact: Hex, path: string): Promise<void>
  forget(artifact: Hex): void
  /** Whether it is worth asking what an artifact of this kind is made of. */
  isWorth(kind: Hex): boolean
  /** How to put an artifact together; undefined where nothing of it is here. */
  plan(kind: Hex, pieces: readonly Piece[]): readonly FilePart[] | undefined
}

const KEPT = 50_000
/** Where nothing was found it is tried again after so many of the kind: most jobs have no input twice. */
const PAUSE = 32

export function createPieceIndex(): PieceIndex {
  const book = createPieceBook(KEPT)
  const pauses = new Map<Hex, number>()

  return {
    async learn(artifact, path) {
      const pieces = await readPieces(path)
      // A whole is found by its own hash.
      if (pieces.length > 1) book.learn(artifact, pieces)
    },
    forget: book.forget,
    isWorth(kind) {
      const left = pauses.get(kind) ?? 0
      if (left > 0) pauses.set(kind, left - 1)
      return book.size() > 0 && left === 0
    },
    plan(kind, pieces) {
      const parts = partsOf(pieces, book.find)
      if (!parts) pauses.set(kind, PAUSE)
      return parts
    },
  }
}

export type AssembleParams = {
  readonly parts: readonly FilePart[]
  readonly pathOf: (artifact: Hex) => string
  readonly download: (range: ByteRange) => Promise<AsyncIterable<Uint8Array>>
}

export async function* assemble({ parts, pathOf, download }: AssembleParams): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const { bytes, place } of parts) {
    if (place) yield* createReadStream(pathOf(place.file), { start: place.from, end: place.from + bytes - 1 })
    else yield* await download({ from: at, to: at + bytes - 1 })
    at += bytes
  }
}
