import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import type { Hex } from "viem"
import { EngineError } from "../errors.ts"
import { bundleHeaderBytes, bundleLayout } from "./bundle.ts"

/** A part of a file by its hash: who has the same part in another file need not send for it. */
export type Piece = { readonly sha256: Hex; readonly bytes: number }

/** A tensor of less is no piece of its own: asking for it would cost as much as sending it. */
const LEAST_BYTES = 16 * 1024

/**
 * What a tensor bundle is made of, in order and without gaps: each large tensor's data, and what is between them. Any
 * other file is one piece.
 */
export async function readPieces(path: string): Promise<Piece[]> {
  const ends = await cuts(path)
  const pieces: Piece[] = []
  let start = 0
  for (const end of ends) {
    const digest = createHash("sha256")
    for await (const chunk of createReadStream(path, { start, end: end - 1 })) digest.update(chunk as Buffer)
    pieces.push({ sha256: `0x${digest.digest("hex")}`, bytes: end - start })
    start = end
  }
  return pieces
}

/** Where pieces end. */
async function cuts(path: string): Promise<number[]> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const ends = new Set<number>()
    for (const { start, end } of await layoutOf(file, size)) {
      if (end - start < LEAST_BYTES) continue
      ends.add(start).add(end)
    }
    if (size > 0) ends.add(size)
    return [...ends]
  } finally {
    await file.close()
  }
}

async function layoutOf(file: FileHandle, size: number) {
  if (size < 8) return []
  const first = new Uint8Array(8)
  await file.read(first, 0, 8, 0)
  try {
    const header = new Uint8Array(Math.min(bundleHeaderBytes(first), size - 8))
    await file.read(header, 0, header.byteLength, 8)
    return bundleLayout(header, size)
  } catch (error) {
    if (error instanceof EngineError) return []
    throw error
  }
}
