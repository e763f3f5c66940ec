import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import type { Hex } from "viem"
import { EngineError } from "../errors.ts"
import { bundleHeaderBytes, bundleLayout, type TensorPlace } from "./bundle.ts"

/** A part of a file by its hash: whoever has the same part in another file need not send for it. */
export type Piece = { readonly sha256: Hex; readonly bytes: number }

/** Where a piece is in another file; `from` is its first byte. */
export type PiecePlace = { readonly file: Hex; readonly from: number }

/** A part of a file that is to be put together: bytes of another one, or such as are in none. */
export type FilePart = { readonly bytes: number; readonly place?: PiecePlace }

/** What is less is no piece of its own: naming it would cost as much as sending it. */
const LEAST_BYTES = 16 * 1024

/**
 * What a tensor bundle is made of, in order and without gaps: each large tensor's data, row by row of its first dim where
 * those are large, and what is between them. Any other file is one piece.
 */
export async function readPieces(path: string): Promise<Piece[]> {
  const pieces: Piece[] = []
  let start = 0
  for (const end of await endsInFile(path)) {
    const digest = createHash("sha256")
    for await (const chunk of createReadStream(path, { start, end: end - 1 })) digest.update(chunk as Buffer)
    pieces.push({ sha256: `0x${digest.digest("hex")}`, bytes: end - start })
    start = end
  }
  return pieces
}

/** The same of a file in memory. */
export function piecesOf(bytes: Uint8Array): Piece[] {
  let start = 0
  return pieceEnds(bytes, bytes.byteLength).map((end) => {
    const part = bytes.subarray(start, end)
    start = end
    return { sha256: `0x${createHash("sha256").update(part).digest("hex")}`, bytes: part.byteLength }
  })
}

/** How a file comes of others: its parts in order; undefined where nothing of it is in any. */
export function partsOf(
  pieces: readonly Piece[],
  find: (sha256: Hex) => PiecePlace | undefined,
): readonly FilePart[] | undefined {
  const parts: FilePart[] = []
  for (const { sha256, bytes } of pieces) {
    const part = withPlace(bytes, find(sha256))
    const last = parts.at(-1)
    if (last && isContinued(last, part)) parts[parts.length - 1] = withPlace(last.bytes + bytes, last.place)
    else parts.push(part)
  }
  return parts.some(({ place }) => place) ? parts : undefined
}

export type PieceBook = {
  size(): number
  learn(file: Hex, pieces: readonly Piece[]): void
  forget(file: Hex): void
  find(sha256: Hex): PiecePlace | undefined
}

/** Remembers where pieces are, the newest place of each; the oldest are forgotten first. */
export function createPieceBook(most: number): PieceBook {
  const places = new Map<Hex, PiecePlace>()
  return {
    size: () => places.size,
    learn(file, pieces) {
      let from = 0
      for (const { sha256, bytes } of pieces) {
        // Headers are alike where tensors are not.
        if (bytes >= LEAST_BYTES) {
          places.delete(sha256)
          places.set(sha256, { file, from })
        }
        from += bytes
      }
      for (const oldest of places.keys()) {
        if (places.size <= most) break
        places.delete(oldest)
      }
    },
    forget(file) {
      for (const [sha256, place] of places) if (place.file === file) places.delete(sha256)
    },
    find: (sha256) => places.get(sha256),
  }
}

function withPlace(bytes: number, place: PiecePlace | undefined): FilePart {
  return place ? { bytes, place } : { bytes }
}

function isContinued(last: FilePart, { place }: FilePart): boolean {
  if (!last.place || !place) return !last.place && !place
  return last.place.file === place.file && last.place.from + last.bytes === place.from
}

async function endsInFile(path: string): Promise<number[]> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const first = await head(file, Math.min(8, size))
    if (first.byteLength < 8) return pieceEnds(first, size)
    return pieceEnds(await head(file, Math.min(8 + headerBytes(first), size)), size)
  } finally {
    await file.close()
  }
}

async function head(file: FileHandle, bytes: number): Promise<Uint8Array> {
  const found = new Uint8Array(bytes)
  await file.read(found, 0, bytes, 0)
  return found
}

/** Where pieces end. `first` has the header of a bundle, if the file is one. */
function pieceEnds(first: Uint8Array, size: number): number[] {
  const ends = new Set<number>()
  for (const { start, end, dims } of layoutOf(first, size)) {
    if (end - start < LEAST_BYTES) continue
    const row = (end - start) / (dims[0] ?? 1)
    const step = row < LEAST_BYTES ? end - start : row
    for (let at = start; at <= end; at += step) ends.add(at)
  }
  if (size > 0) ends.add(size)
  return [...ends]
}

function layoutOf(first: Uint8Array, size: number): readonly TensorPlace[] {
  const end = first.byteLength < 8 ? 0 : 8 + headerBytes(first)
  if (end < 8 || end > first.byteLength) return []
  return unlessMalformed(() => bundleLayout(first.subarray(8, end), size), [])
}

/** 0 of a file that is no bundle. */
function headerBytes(first: Uint8Array): number {
  return unlessMalformed(() => bundleHeaderBytes(first), 0)
}

/** What is no bundle is a file like any other here. */
function unlessMalformed<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof EngineError) return otherwise
    throw error
  }
}
