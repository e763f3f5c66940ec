import type { Value } from "../builder.ts"
import { int64s } from "../elements.ts"
import type { Comparison, Ops } from "../ops.ts"
import { ints, type Lowering, refuse } from "./lowering.ts"

/** Decision trees as look-ups: at every level each tree reads a feature, compares it, and goes to one of two nodes. */

/** Nodes of all trees in one list; a leaf leads to itself. */
export type Trees = {
  /** Where each tree begins. */
  readonly roots: readonly number[]
  readonly features: readonly number[]
  readonly thresholds: readonly number[]
  /** Of node i the place to go to if its comparison fails at 2i, if it holds at 2i + 1. */
  readonly children: readonly number[]
  readonly comparison: Comparison | "NotEqual"
  /** Whether a feature that is missing (NaN) makes the comparison hold. */
  readonly missing: readonly boolean[]
  /** The longest way to a leaf. */
  readonly depth: number
  /** What each node adds to each target, as rows; nothing for those that are no leaves. */
  readonly weights: Float32Array
  readonly targets: number
  readonly allPositive: boolean
  /** The one class that the leaves of a classifier speak of, if there is only one. */
  readonly spokenOf: number | undefined
}

export function regressorTrees(l: Lowering): Trees {
  const targets = l.node.attributes.get("n_targets")?.i ?? 1
  return treesOf(l, "target", (id) => id, targets)
}

/** Where all leaves speak of one of two classes there is one target, else one a class. */
export function classifierTrees(l: Lowering, classes: number): Trees {
  const ids = list(l, "class_ids")
  if (classes === 2 && new Set(ids).size === 1) return treesOf(l, "class", () => 0, 1)
  const silent = silentClass(l, classes)
  // onnxruntime chooses among the classes that some leaf spoke of; here all are compared.
  if (silent !== undefined)
    refuse(`no tree speaks of class ${silent} in all of its leaves`, "export leaves with weights for all classes")
  return treesOf(l, "class", (id) => id, classes)
}

/** A class that there is no tree for all of whose leaves speak of it. */
function silentClass(l: Lowering, classes: number): number | undefined {
  const leaves = new Map<number, number>()
  for (const [i, tree] of list(l, "nodes_treeids").entries())
    if (modes(l)[i] === "LEAF") leaves.set(tree, (leaves.get(tree) ?? 0) + 1)
  const [trees, nodes] = [list(l, "class_treeids"), list(l, "class_nodeids")]
  const speaking = new Map<string, Set<number>>()
  for (const [i, id] of list(l, "class_ids").entries()) {
    const key = `${id} ${trees[i]}`
    speaking.set(key, (speaking.get(key) ?? new Set()).add(nodes[i]!))
  }
  const isSpokenOf = (id: number) => [...leaves].some(([tree, count]) => speaking.get(`${id} ${tree}`)?.size === count)
  return Array.from({ length: classes }, (_, id) => id).find((id) => !isSpokenOf(id))
}

/** Sums over the trees of what the leaf says that each row of x (rows, features) comes to: (rows, targets). */
export function sumOfLeaves({ o }: Lowering, x: Value, trees: Trees): Value {
  const [rows, width] = x.dims as [number, number]
  const count = trees.roots.length
  const absent = trees.features.find((feature) => !(feature >= 0 && feature < width))
  if (absent !== undefined) refuse(`it reads feature ${absent} of ${width}`, "export the model again")
  const [features, thresholds] = [o.constant(int64s(trees.features)), o.vector(trees.thresholds)]
  const children = o.constant(int64s(trees.children))
  const all = o.reshape(x, [rows * width])
  const rowBegins = o.constant(
    int64s(
      Array.from({ length: rows }, (_, row) => row * width),
      [rows, 1],
    ),
  )
  const missing = trees.missing.some(Boolean) && o.cast(o.vector(trees.missing.map(Number)), "bool")
  let at = o.constant(
    int64s(
      Array.from({ length: rows * count }, (_, e) => trees.roots[e % count]!),
      [rows, count],
    ),
  )
  for (let level = 0; level < trees.depth; level++) {
    const value = o.gather(all, o.add(o.gather(features, at, 0), rowBegins), 0)
    const holds = compared(o, trees.comparison, value, o.gather(thresholds, at, 0))
    const isMissing = missing && o.logic("And", o.not(o.compare("Equal", value, value)), o.gather(missing, at, 0))
    const taken = o.cast(isMissing ? o.logic("Or", holds, isMissing) : holds, "int64")
    at = o.gather(children, o.add(o.mul(at, o.number("int64", 2)), taken), 0)
  }
  const said = o.gather(o.vector(trees.weights, [trees.features.length, trees.targets]), at, 0)
  return o.reshape(o.sumLast(o.transpose(said, [0, 2, 1])), [rows, trees.targets])
}

function compared(o: Ops, comparison: Trees["comparison"], a: Value, b: Value): Value {
  return comparison === "NotEqual" ? o.not(o.compare("Equal", a, b)) : o.compare(comparison, a, b)
}

const COMPARISONS: Readonly<Record<string, Trees["comparison"]>> = {
  BRANCH_LEQ: "LessOrEqual",
  BRANCH_LT: "Less",
  BRANCH_GTE: "GreaterOrEqual",
  BRANCH_GT: "Greater",
  BRANCH_EQ: "Equal",
  BRANCH_NEQ: "NotEqual",
}
/** A model may say anything of itself: what would make a program of millions of operations is no tree. */
const DEEPEST = 256

function treesOf(l: Lowering, of: "target" | "class", targetOf: (id: number) => number, targets: number): Trees {
  const { place, roots } = placesOf(l)
  const kinds = modes(l)
  const features = list(l, "nodes_featureids")
  const thresholds = l.node.attributes.get("nodes_values")?.floats ?? []
  const tracks = ints(l, "nodes_missing_value_tracks_true") ?? []
  const trees = list(l, "nodes_treeids")
  const isLeaf = kinds.map((kind) => kind === "LEAF")
  const found = [...new Set(kinds.filter((kind) => kind !== "LEAF"))]
  const comparison = COMPARISONS[found[0] ?? "BRANCH_LEQ"]
  if (found.length > 1 || !comparison)
    refuse(`its nodes compare in ${found.join(" and ")}`, "use one comparison for all")
  const follow = (name: string) => list(l, name).map((node, i) => (isLeaf[i] ? i : place(trees[i]!, node)))
  const [fails, holds] = [follow("nodes_falsenodeids"), follow("nodes_truenodeids")]
  const children = kinds.flatMap((_, i) => [fails[i]!, holds[i]!])
  const weights = new Float32Array(kinds.length * targets)
  const said = l.node.attributes.get(`${of}_weights`)?.floats ?? []
  const [saidTrees, saidNodes] = [list(l, `${of}_treeids`), list(l, `${of}_nodeids`)]
  const ids = list(l, `${of}_ids`)
  for (const [i, id] of ids.entries()) {
    const target = targetOf(id)
    const node = place(saidTrees[i]!, saidNodes[i]!)
    if (!(target >= 0 && target < targets) || !isLeaf[node])
      refuse(
        `it gives a weight to ${of} ${id} at a node that is no leaf or for one there is not`,
        "export the model again",
      )
    weights[node * targets + target]! += said[i] ?? 0
  }
  return {
    roots,
    features: kinds.map((_, i) => (isLeaf[i] ? 0 : (features[i] ?? 0))),
    thresholds: kinds.map((_, i) => (isLeaf[i] ? 0 : (thresholds[i] ?? 0))),
    children,
    comparison: comparison!,
    missing: kinds.map((_, i) => !isLeaf[i] && tracks[i] === 1),
    depth: depthOf(children, roots),
    weights,
    targets,
    allPositive: said.every((weight) => weight >= 0),
    spokenOf: new Set(ids).size === 1 ? ids[0] : undefined,
  }
}

/** By tree and node, where it is in the lists. A tree's first node is its root. */
function placesOf(l: Lowering): { place: (tree: number, node: number) => number; roots: number[] } {
  const nodes = list(l, "nodes_nodeids")
  const places = new Map<string, number>()
  const roots = new Map<number, number>()
  for (const [i, tree] of list(l, "nodes_treeids").entries()) {
    places.set(`${tree} ${nodes[i]}`, i)
    if (!roots.has(tree)) roots.set(tree, i)
  }
  const place = (tree: number, node: number) =>
    places.get(`${tree} ${node}`) ?? refuse(`tree ${tree} has no node ${node}`, "export the model again")
  return { place, roots: [...roots.values()] }
}

function depthOf(children: readonly number[], roots: readonly number[]): number {
  let level = new Set(roots)
  for (let depth = 0; depth <= DEEPEST; depth++) {
    const inner = [...level].filter((node) => children[2 * node] !== node || children[2 * node + 1] !== node)
    if (inner.length === 0) return depth
    level = new Set(inner.flatMap((node) => [children[2 * node]!, children[2 * node + 1]!]))
  }
  return refuse(`a tree goes down more than ${DEEPEST} nodes, or in a circle`, "limit the depth of the trees")
}

function list({ node }: Lowering, name: string): readonly number[] {
  return node.attributes.get(name)?.ints ?? []
}

function modes({ node }: Lowering): readonly string[] {
  return node.attributes.get("nodes_modes")?.strings ?? []
}
