import { ceilLog2 } from "../trees/depth.ts"
import { buildTree, rootFromPath, type Tree, type TreeScheme, treePath } from "../trees/positional.ts"

/** Levels that one row spans: 64 nodes, which was computed to be cheapest. */
export const ROW_LEVELS = 6

/** The level of the row under a node. */
export function levelBelow(level: number): number {
  return Math.max(0, level - ROW_LEVELS)
}

/** Nodes of a level that are no paddings. */
export function nodesAt(count: number, level: number): number {
  return Math.ceil(count / 2 ** level)
}

/** The nodes under a node, at most six levels below it, paddings left out. */
export type Row<N> = { readonly level: number; readonly index: number; readonly nodes: readonly N[] }

export function rowUnder<N>(tree: Tree<N>, count: number, level: number, index: number): Row<N> {
  const low = levelBelow(level)
  const first = index * 2 ** (level - low)
  const width = rowWidth(count, level, index)
  return { level, index, nodes: Array.from({ length: width }, (_, i) => tree.at(low, first + i)) }
}

export function topRow<N>(tree: Tree<N>, count: number): Row<N> {
  return rowUnder(tree, count, ceilLog2(count), 0)
}

/** What a row hashes to, paddings put in. Throws where its length is not what count and place say. */
export function rowRoot<N>(scheme: TreeScheme<N>, count: number, row: Row<N>): N {
  const width = rowWidth(count, row.level, row.index)
  if (row.nodes.length !== width) throw new RangeError(`a row of ${row.nodes.length} nodes where ${width} are`)
  return treeOfRow(scheme, row).root
}

/** The siblings that lead from a node of a row to the node which the row lies under. */
export function rowPath<N>(scheme: TreeScheme<N>, row: Row<N>, index: number): N[] {
  return treePath(treeOfRow(scheme, row), index - row.index * 2 ** (row.level - levelBelow(row.level)))
}

/** The root that a leaf and its path imply, for a tree of `count` leaves. */
export function rootOfLeaf<N>(
  scheme: TreeScheme<N>,
  { count, leaf, position, path }: { count: number; leaf: N; position: number; path: readonly N[] },
): N {
  return rootFromPath(scheme, { leaf, position, depth: ceilLog2(count), path })
}

function rowWidth(count: number, level: number, index: number): number {
  const low = levelBelow(level)
  const span = 2 ** (level - low)
  return Math.max(0, Math.min(span, nodesAt(count, low) - index * span))
}

function treeOfRow<N>(scheme: TreeScheme<N>, { level, nodes }: Row<N>): Tree<N> {
  const low = levelBelow(level)
  let { pad } = scheme
  for (let i = 0; i < low; i++) pad = scheme.join(pad, pad)
  return buildTree({ ...scheme, pad }, nodes, level - low)
}
