import { hash } from "node:crypto"
import { ceilLog2 } from "../trees/depth.ts"
import { buildTree, type Tree, type TreeScheme } from "../trees/positional.ts"

/** R6: chunks of 1,024 bytes, the last one zero-filled. SHA-256 because it is native here and a precompile there. */
export const CHUNK_BYTES = 1024

const NODE_TAG = 0x01
const PAD_TAG = 0x02
const HASH_BYTES = 32

export function sha256(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer")
}

/** A string of bytes costs node half of what a Buffer for each of thousands of hashes does. */
function writeSha256(bytes: Uint8Array, target: Buffer, at: number): void {
  target.write(hash("sha256", bytes, "binary"), at, HASH_BYTES, "binary")
}

export const SHA_PAD: Uint8Array = sha256(Uint8Array.of(PAD_TAG))

/** Chunks of a byte length; an empty tensor has none and its tree is one padding leaf. */
export function chunkCount(byteLength: number): number {
  return Math.ceil(byteLength / CHUNK_BYTES)
}

export function chunkDepth(byteLength: number): number {
  return ceilLog2(chunkCount(byteLength))
}

/**
 * The tree root over `data` whose leaves are `sha256(prefix, chunk)`. One scratch buffer and one buffer of hashes,
 * folded in place: a tensor of 150 kB costs about 0.5 ms, and garbage would double it.
 */
export function chunkTreeRoot(data: Uint8Array, prefix: Uint8Array): Uint8Array {
  let count = chunkCount(data.length)
  if (count === 0) return SHA_PAD
  const hashes = hashChunks(data, prefix)
  const pair = Buffer.alloc(1 + 2 * HASH_BYTES)
  pair[0] = NODE_TAG
  let pad = SHA_PAD
  for (let depth = ceilLog2(count); depth > 0; depth--) {
    const parents = Math.ceil(count / 2)
    for (let i = 0; i < parents; i++) {
      const left = 2 * i * HASH_BYTES
      hashes.copy(pair, 1, left, left + HASH_BYTES)
      if (2 * i + 1 < count) hashes.copy(pair, 1 + HASH_BYTES, left + HASH_BYTES, left + 2 * HASH_BYTES)
      else pair.set(pad, 1 + HASH_BYTES)
      writeSha256(pair, hashes, i * HASH_BYTES)
    }
    pair.set(pad, 1)
    pair.set(pad, 1 + HASH_BYTES)
    pad = sha256(pair)
    count = parents
  }
  return hashes.subarray(0, HASH_BYTES)
}

/** The same tree with all levels kept, for openings of one chunk. */
export function buildChunkTree(data: Uint8Array, prefix: Uint8Array): Tree<Uint8Array> {
  const count = chunkCount(data.length)
  const hashes = hashChunks(data, prefix)
  const leaves = Array.from({ length: count }, (_, i) => hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
  return buildTree(SHA_SCHEME, leaves, ceilLog2(count))
}

export const SHA_SCHEME: TreeScheme<Uint8Array> = {
  pad: SHA_PAD,
  join: (left, right) => sha256(Buffer.concat([Uint8Array.of(NODE_TAG), left, right])),
}

export function chunkLeaf(chunk: Uint8Array, prefix: Uint8Array): Uint8Array {
  const filled = Buffer.alloc(prefix.length + CHUNK_BYTES)
  filled.set(prefix)
  filled.set(chunk, prefix.length)
  return sha256(filled)
}

function hashChunks(data: Uint8Array, prefix: Uint8Array): Buffer {
  const count = chunkCount(data.length)
  const hashes = Buffer.allocUnsafe(count * HASH_BYTES)
  const scratch = Buffer.alloc(prefix.length + CHUNK_BYTES)
  scratch.set(prefix)
  for (let i = 0; i < count; i++) {
    const chunk = data.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)
    scratch.set(chunk, prefix.length)
    if (chunk.length < CHUNK_BYTES) scratch.fill(0, prefix.length + chunk.length)
    writeSha256(scratch, hashes, i * HASH_BYTES)
  }
  return hashes
}
