import type { Address, Hex } from "viem"
import { CodedError } from "../errors/codedError.ts"
import { bytesOf, hexOf } from "../hashing/hex.ts"
import { writeWord } from "../hashing/words.ts"
import { rootFromPath, treePath } from "../trees/positional.ts"
import { buildChunkTree, CHUNK_BYTES, chunkDepth, chunkLeaf, chunkTreeRoot, SHA_SCHEME, sha256 } from "./shaTree.ts"
import { onnxNumberOf, type Tensor, tensorByteLength } from "./tensor.ts"

/** Whose verdict a keyed digest belongs to (R21): a digest copied from another verifier is a digest of another key. */
export type DigestKey = { readonly verifier: Address; readonly batchId: bigint; readonly position: number }

export type TensorErrorDetail =
  | { code: "E_TENSOR_LENGTH"; expected: number; got: number; message: string }
  | { code: "E_TENSOR_DIMS"; dims: readonly number[]; message: string }
export class TensorError extends CodedError<TensorErrorDetail> {}

const LEAF_PREFIX = Uint8Array.of(0x00)
const KEYED_TAG = 0x04
const ROOT_TAG = 0x03
const MAX_RANK = 255

/** R6: `sha256(0x03, dtype uint8, rank uint8, dims uint64 each, tree root)`. */
export function tensorRoot(tensor: Tensor): Hex {
  return wrapRoot(tensor, chunkTreeRoot(tensor.data, LEAF_PREFIX))
}

/** R21: the same tree with `sha256(0x04, verifier, batchId, position, chunk)` as leaf. */
export function keyedTensorRoot(tensor: Tensor, key: DigestKey): Hex {
  return wrapRoot(tensor, chunkTreeRoot(tensor.data, keyedPrefix(key)))
}

/** One chunk with its siblings: what a demand, or a proof that a keyed digest is false, shows to a contract. */
export type ChunkOpening = { readonly index: number; readonly chunk: Hex; readonly path: readonly Hex[] }

export function openChunk(tensor: Tensor, index: number, key?: DigestKey): ChunkOpening {
  checkTensor(tensor)
  const tree = buildChunkTree(tensor.data, prefixFor(key))
  const chunk = Buffer.alloc(CHUNK_BYTES)
  chunk.set(tensor.data.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES))
  return { index, chunk: hexOf(chunk), path: treePath(tree, index).map(hexOf) }
}

/** The tensor root that an opening implies, for the stated dtype and dims. */
export function rootFromChunk(shape: Pick<Tensor, "dtype" | "dims">, opening: ChunkOpening, key?: DigestKey): Hex {
  const treeRoot = rootFromPath(SHA_SCHEME, {
    leaf: chunkLeaf(bytesOf(opening.chunk), prefixFor(key)),
    position: opening.index,
    depth: chunkDepth(tensorByteLength(shape)),
    path: opening.path.map(bytesOf),
  })
  return wrapTreeRoot(shape, treeRoot)
}

/** What stands in a chunk's place at the bottom of its tree. */
export function leafOfChunk(chunk: Hex, key?: DigestKey): Hex {
  return hexOf(chunkLeaf(bytesOf(chunk), prefixFor(key)))
}

/** What a tensor root covers before the tree: `dtype uint8, rank uint8, dims uint64 each`. */
export function tensorHeader({ dtype, dims }: Pick<Tensor, "dtype" | "dims">): Hex {
  const bytes = Buffer.alloc(2 + 8 * dims.length)
  bytes[0] = onnxNumberOf(dtype)
  bytes[1] = dims.length
  dims.forEach((dim, i) => {
    bytes.writeBigUInt64BE(BigInt(dim), 2 + 8 * i)
  })
  return hexOf(bytes)
}

function prefixFor(key: DigestKey | undefined): Uint8Array {
  return key === undefined ? LEAF_PREFIX : keyedPrefix(key)
}

function keyedPrefix({ verifier, batchId, position }: DigestKey): Uint8Array {
  const prefix = Buffer.alloc(1 + 20 + 32 + 4)
  const word = Buffer.alloc(32)
  prefix[0] = KEYED_TAG
  writeWord(word, 0, verifier)
  word.copy(prefix, 1, 12)
  word.fill(0)
  writeWord(word, 0, batchId)
  word.copy(prefix, 21)
  prefix.writeUInt32BE(position, 53)
  return prefix
}

function wrapRoot(tensor: Tensor, treeRoot: Uint8Array): Hex {
  checkTensor(tensor)
  return wrapTreeRoot(tensor, treeRoot)
}

function wrapTreeRoot({ dtype, dims }: Pick<Tensor, "dtype" | "dims">, treeRoot: Uint8Array): Hex {
  return hexOf(sha256(Buffer.concat([Uint8Array.of(ROOT_TAG), bytesOf(tensorHeader({ dtype, dims })), treeRoot])))
}

function checkTensor(tensor: Tensor): void {
  const { dims, data } = tensor
  if (dims.length > MAX_RANK || dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    const message = `a tensor cannot have the dimensions [${dims.join(", ")}]`
    throw new TensorError({ code: "E_TENSOR_DIMS", dims, message })
  }
  const expected = tensorByteLength(tensor)
  if (data.length === expected) return
  const message = `a ${tensor.dtype} tensor of [${dims.join(", ")}] has ${expected} bytes, not ${data.length}`
  throw new TensorError({ code: "E_TENSOR_LENGTH", expected, got: data.length, message })
}
