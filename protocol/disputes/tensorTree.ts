import type { Hex } from "viem"
import { buildChunkTree, CHUNK_BYTES, chunkCount, chunkLeaf, SHA_PAD, SHA_SCHEME } from "../commitments/shaTree.ts"
import type { Tensor } from "../commitments/tensor.ts"
import { bytesOf, hexOf } from "../hashing/hex.ts"
import { type Tree, type TreeScheme, treeMultiproof } from "../trees/positional.ts"

const LEAF_PREFIX = Uint8Array.of(0x00)

/** The tree of a tensor's bytes (R6), its nodes as they go on chain. */
export const TENSOR_SCHEME: TreeScheme<Hex> = {
  pad: hexOf(SHA_PAD),
  join: (left, right) => hexOf(SHA_SCHEME.join(bytesOf(left), bytesOf(right))),
}

export type TensorTree = { readonly count: number; readonly tree: Tree<Hex> }

export function buildTensorTree({ data }: Tensor): TensorTree {
  const { depth, root, at } = buildChunkTree(data, LEAF_PREFIX)
  const tree = { depth, root: hexOf(root), at: (level: number, index: number) => hexOf(at(level, index)) }
  return { count: chunkCount(data.length), tree }
}

export function chunkAt({ data }: Tensor, chunk: number): Uint8Array {
  const filled = Buffer.alloc(CHUNK_BYTES)
  filled.set(data.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES))
  return filled
}

export function tensorLeaf(chunk: Uint8Array): Hex {
  return hexOf(chunkLeaf(chunk, LEAF_PREFIX))
}

/** `Opened` of `contracts/types/Program.sol`: chunks in ascending order, their bytes one after another. */
export type Opened = { readonly chunks: readonly number[]; readonly data: Hex }

export type OpenedChunks = { readonly opened: Opened; readonly path: readonly Hex[] }

export const NOTHING_OPENED: OpenedChunks = { opened: { chunks: [], data: "0x" }, path: [] }

/** Chunks of a tensor with the siblings that are not among them. */
export function openChunks(tensor: Tensor, tree: TensorTree, chunks: readonly number[]): OpenedChunks {
  if (chunks.length === 0) return NOTHING_OPENED
  const data = hexOf(Buffer.concat(chunks.map((chunk) => chunkAt(tensor, chunk))))
  return { opened: { chunks, data }, path: treeMultiproof(tree.tree, chunks) }
}
