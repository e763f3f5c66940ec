import { createReadStream } from "node:fs"
import type { Hex } from "viem"
import { type Piece, readPieces } from "#engine"

/** A part of an artifact; without it the whole. */
export type ByteRange = { readonly from: number; readonly to: number }

/** Where a piece is on this disk: `from` and `to` included. */
type Place = { readonly artifact: Hex } & ByteRange

/** A part of an artifact that is to be put together: on this disk, or to be asked for. */
type Part = { readonly place: Place } | { readonly range: ByteRange }

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
  plan(kind: Hex, pieces: readonly Piece[]): readonly Part[] | undefined
}

const LEAST_BYTES = 16 * 1024
/** Pieces that are remembered; the oldest go first. */
const KEPT = 50_000
/** Where nothing was found it is tried again after so many of the kind: most jobs have no input twice. */
const PAUSE = 32

export function createPieceIndex(): PieceIndex {
  const places = new Map<Hex, Place>()
  const pauses = new Map<Hex, number>()

  return {
    async learn(artifact, path) {
      const pieces = await readPieces(path)
      // Nothing but the whole, which is found by its own hash.
      if (pieces.length < 2) return
      let from = 0
      for (const { sha256, bytes } of pieces) {
        // Headers are alike where tensors are not.
        if (bytes >= LEAST_BYTES) {
          places.delete(sha256)
          places.set(sha256, { artifact, from, to: from + bytes - 1 })
        }
        from += bytes
      }
      for (const oldest of places.keys()) {
        if (places.size <= KEPT) break
        places.delete(oldest)
      }
    },
    forget(artifact) {
      for (const [sha256, place] of places) if (place.artifact === artifact) places.delete(sha256)
    },
    isWorth(kind) {
      const left = pauses.get(kind) ?? 0
      if (left > 0) pauses.set(kind, left - 1)
      return places.size > 0 && left === 0
    },
    plan(kind, pieces) {
      const parts: Part[] = []
      let from = 0
      for (const { sha256, bytes } of pieces) {
        const to = from + bytes - 1
        const place = places.get(sha256)
        const last = parts.at(-1)
        if (place && place.to - place.from === to - from) parts.push({ place })
        else if (last && "range" in last) parts[parts.length - 1] = { range: { from: last.range.from, to } }
        else parts.push({ range: { from, to } })
        from = to + 1
      }
      if (parts.some((part) => "place" in part)) return parts
      pauses.set(kind, PAUSE)
      return undefined
    },
  }
}

export type AssembleParams = {
  readonly parts: readonly Part[]
  readonly pathOf: (artifact: Hex) => string
  readonly download: (range: ByteRange) => Promise<AsyncIterable<Uint8Array>>
}

export async function* assemble({ parts, pathOf, download }: AssembleParams): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if ("range" in part) yield* await download(part.range)
    else yield* createReadStream(pathOf(part.place.artifact), { start: part.place.from, end: part.place.to })
  }
}
