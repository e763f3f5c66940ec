import type { Hex } from "viem"
import { buildInputTree, ceilLog2, hexOf, PAIR_SCHEME, type Tree, treeMultiproof, treePath } from "#protocol"
import { refuse } from "../errors.ts"

/**
 * The input commitments of a job with every level of their tree (R1), as one file: proofs are cut out of it for each
 * lease and audit, so the hashing is done once, at intake.
 *
 * Layout: 8 bytes of name, tasks (uint32 LE), 4 bytes 0, then 32 bytes each: commitments, leaves, each level above.
 */
export type InputTree = {
  tasks: number
  commitment(taskIndex: number): Hex
  /** Path of one task against `terms.inputs`. */
  path(taskIndex: number): Hex[]
  /** Multiproof of consecutive tasks. */
  proof(first: number, count: number): Hex[]
  bytes: number
}

const NAME = Buffer.from("assay.i0")
const HEADER = 16

export function encodeInputTree(commitments: readonly Hex[]): { root: Hex; bytes: Uint8Array } {
  const tree = buildInputTree(commitments)
  const tasks = commitments.length
  const sizes = levelSizes(tasks)
  const bytes = Buffer.alloc(HEADER + 32 * (tasks + sizes.reduce((sum, size) => sum + size, 0)))
  NAME.copy(bytes)
  bytes.writeUInt32LE(tasks, 8)
  let at = HEADER
  const put = (hash: Hex) => {
    bytes.write(hash.slice(2), at, "hex")
    at += 32
  }
  commitments.forEach(put)
  sizes.forEach((size, level) => {
    for (let i = 0; i < size; i++) put(tree.at(level, i))
  })
  return { root: tree.root, bytes }
}

export function openInputTree(bytes: Uint8Array): InputTree {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.byteLength < HEADER || !file.subarray(0, 8).equals(NAME)) throw malformed()
  const tasks = file.readUInt32LE(8)
  const sizes = levelSizes(tasks)
  const starts: number[] = []
  let at = HEADER + 32 * tasks
  for (const size of sizes) {
    starts.push(at)
    at += 32 * size
  }
  if (tasks === 0 || file.byteLength !== at) throw malformed()

  const pads: Hex[] = [PAIR_SCHEME.pad]
  for (let level = 1; level < sizes.length; level++) pads.push(PAIR_SCHEME.join(pads[level - 1]!, pads[level - 1]!))
  const node = (start: number): Hex => hexOf(file.subarray(start, start + 32))
  const depth = sizes.length - 1
  const tree: Tree<Hex> = {
    depth,
    root: node(starts[depth]!),
    at: (level, i) => (i < sizes[level]! ? node(starts[level]! + 32 * i) : pads[level]!),
  }
  return {
    tasks,
    bytes: file.byteLength,
    commitment(taskIndex) {
      if (!(taskIndex >= 0 && taskIndex < tasks)) throw new RangeError(`no task ${taskIndex}`)
      return node(HEADER + 32 * taskIndex)
    },
    path: (taskIndex) => treePath(tree, taskIndex),
    proof: (first, count) =>
      treeMultiproof(
        tree,
        Array.from({ length: count }, (_, i) => first + i),
      ),
  }
}

/** Nodes a level, leaves first, without padding. */
function levelSizes(tasks: number): number[] {
  const sizes = [tasks]
  for (let level = 0; level < ceilLog2(tasks); level++) sizes.push(Math.ceil(sizes[level]! / 2))
  return sizes
}

function malformed() {
  return refuse("E_INTERNAL", "the stored tree of inputs is malformed")
}
