import { type Hex, zeroHash } from "viem"
import { hexOf } from "../hashing/hex.ts"
import { digestSalt } from "./salts.ts"
import { outputPart, type TaskResult } from "./task.ts"
import { type DigestKey, keyedTensorRoot, leafOfChunk, openChunk, tensorHeader, tensorRoot } from "./tensorRoot.ts"

/** What leads from the tensors of a keyed digest to the output commitment of the same verdict (R6, R21). */
export type DigestList = { salt: Hex; outputPart: Hex; roots: Hex[] }

export type DigestOpening = {
  keyedRoots: Hex[]
  tensor: number
  index: number
  header: Hex
  chunk: Hex
  path: Hex[]
  keyedLeaf: Hex
  keyedPath: Hex[]
}

/** The work digest's tensors, or the outputs where a program names none. */
function listed({ outputs, digests }: TaskResult) {
  return digests.length > 0 ? digests : outputs
}

/** Where the outputs serve, their own part is shown by the task's salt; where they do not, that salt stays secret. */
export function digestList(salt: Hex, result: TaskResult): DigestList {
  const roots = listed(result).map(tensorRoot)
  if (result.digests.length === 0) return { salt, outputPart: zeroHash, roots }
  return { salt: digestSalt(salt), outputPart: outputPart(salt, result.outputs), roots }
}

/** One chunk in the plain tree, and in the tree that `author` keyed: proves that another's verdict has its digest. */
export function copiedOpening(result: TaskResult, author: DigestKey): DigestOpening | undefined {
  const tensors = listed(result)
  const tensor = tensors.findIndex(({ data }) => data.length > 0)
  const shown = tensors[tensor]
  // Tensors without an element have the same digest under every key.
  if (!shown) return undefined
  const { chunk, path } = openChunk(shown, 0)
  return {
    keyedRoots: tensors.map((one) => keyedTensorRoot(one, author)),
    tensor,
    index: 0,
    header: tensorHeader(shown),
    chunk,
    path: [...path],
    keyedLeaf: leafOfChunk(chunk, author),
    keyedPath: [...openChunk(shown, 0, author).path],
  }
}

/** All bytes of the list: proves a digest false that nobody can open, because it was made up. */
export function digestBytes(result: TaskResult): { header: Hex; data: Hex }[] {
  return listed(result).map((tensor) => ({ header: tensorHeader(tensor), data: hexOf(tensor.data) }))
}
