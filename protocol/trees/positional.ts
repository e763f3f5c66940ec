import { CodedError } from "../errors/codedError.ts"

/**
 * Positional Merkle trees (R3): the depth is stated, the side at each level is a bit of the position (bit 0 lowest;
 * 0 = the node is the left one), what is missing on the right is padding. Pairs are never sorted.
 * The node type is a parameter: a hash for plain trees, a hash with units for the sum trees of R4.
 */
export type TreeScheme<N> = {
  readonly pad: N
  join(left: N, right: N): N
}

export type TreeErrorDetail =
  | { code: "E_TREE_TOO_MANY_LEAVES"; leaves: number; depth: number; message: string }
  | { code: "E_TREE_POSITION"; position: number; depth: number; message: string }
  | { code: "E_TREE_PROOF_LENGTH"; expected: number; got: number; message: string }
export class TreeError extends CodedError<TreeErrorDetail> {}

/** All levels, leaves first, without the padding; `at` answers for padding too. */
export type Tree<N> = {
  readonly depth: number
  readonly root: N
  at(level: number, index: number): N
}

export function buildTree<N>(scheme: TreeScheme<N>, leaves: readonly N[], depth: number): Tree<N> {
  if (leaves.length > 2 ** depth) {
    const message = `${leaves.length} leaves do not fit a tree of depth ${depth}`
    throw new TreeError({ code: "E_TREE_TOO_MANY_LEAVES", leaves: leaves.length, depth, message })
  }
  const pads = [scheme.pad]
  const levels: (readonly N[])[] = [leaves]
  for (let level = 0; level < depth; level++) {
    const below = levels[level]!
    const pad = pads[level]!
    const above: N[] = []
    for (let i = 0; i < below.length; i += 2)
      above.push(scheme.join(below[i]!, i + 1 < below.length ? below[i + 1]! : pad))
    levels.push(above)
    pads.push(scheme.join(pad, pad))
  }
  const at = (level: number, index: number): N => levels[level]![index] ?? pads[level]!
  return { depth, root: at(depth, 0), at }
}

export function treePath<N>(tree: Tree<N>, position: number): N[] {
  checkPosition(position, tree.depth)
  return Array.from({ length: tree.depth }, (_, level) => tree.at(level, Math.floor(position / 2 ** level) ^ 1))
}

/** The root that a leaf at a position implies. The caller states the depth: a path of another length is no path. */
export function rootFromPath<N>(
  scheme: TreeScheme<N>,
  { leaf, position, depth, path }: { leaf: N; position: number; depth: number; path: readonly N[] },
): N {
  checkPosition(position, depth)
  checkProofLength(depth, path.length)
  let node = leaf
  for (let level = 0; level < depth; level++) {
    const sibling = path[level]!
    node = Math.floor(position / 2 ** level) % 2 === 0 ? scheme.join(node, sibling) : scheme.join(sibling, node)
  }
  return node
}

/** The siblings that several positions need together: level by level from the leaves, left to right. */
export function treeMultiproof<N>(tree: Tree<N>, positions: readonly number[]): N[] {
  const proof: N[] = []
  let known = sortedPositions(positions, tree.depth)
  for (let level = 0; level < tree.depth; level++) {
    known = foldLevel(known, (sibling) => {
      proof.push(tree.at(level, sibling))
    })
  }
  return proof
}

export function rootFromMultiproof<N>(
  scheme: TreeScheme<N>,
  { entries, depth, proof }: { entries: readonly { position: number; leaf: N }[]; depth: number; proof: readonly N[] },
): N {
  let nodes = new Map(entries.map(({ position, leaf }) => [position, leaf]))
  let known = sortedPositions(
    entries.map(({ position }) => position),
    depth,
  )
  let used = 0
  for (let level = 0; level < depth; level++) {
    const siblings = new Map<number, N>()
    const parents = foldLevel(known, (sibling) => {
      if (used === proof.length) checkProofLength(used + 1, proof.length)
      siblings.set(sibling, proof[used++]!)
    })
    const at = (index: number): N => nodes.get(index) ?? siblings.get(index)!
    nodes = new Map(parents.map((parent) => [parent, scheme.join(at(parent * 2), at(parent * 2 + 1))]))
    known = parents
  }
  checkProofLength(used, proof.length)
  return nodes.get(0)!
}

/** Goes from one level's known indices to their parents, asking for each sibling that is not known itself. */
function foldLevel(known: readonly number[], needSibling: (index: number) => void): number[] {
  const here = new Set(known)
  const parents: number[] = []
  for (const index of known) {
    if (!here.has(index ^ 1)) needSibling(index ^ 1)
    const parent = Math.floor(index / 2)
    if (parents.at(-1) !== parent) parents.push(parent)
  }
  return parents
}

function sortedPositions(positions: readonly number[], depth: number): number[] {
  if (positions.length === 0) throw positionError(-1, depth, "a multiproof needs at least one position")
  const sorted = [...positions].sort((a, b) => a - b)
  for (let i = 0; i < sorted.length; i++) {
    checkPosition(sorted[i]!, depth)
    if (sorted[i] === sorted[i - 1]) throw positionError(sorted[i]!, depth, `position ${sorted[i]} is named twice`)
  }
  return sorted
}

function checkPosition(position: number, depth: number): void {
  if (Number.isSafeInteger(position) && position >= 0 && position < 2 ** depth) return
  throw positionError(position, depth, `position ${position} is outside a tree of depth ${depth}`)
}

function positionError(position: number, depth: number, message: string): TreeError {
  return new TreeError({ code: "E_TREE_POSITION", position, depth, message })
}

function checkProofLength(expected: number, got: number): void {
  if (expected === got) return
  const message = `a proof of ${got} nodes where ${expected} are needed`
  throw new TreeError({ code: "E_TREE_PROOF_LENGTH", expected, got, message })
}
