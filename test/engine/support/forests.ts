import { writeModel } from "#engine"
import { floatTensor, type Network, noise } from "./networks.ts"

/** Boosted trees for two classes, as XGBoost is exported. */
export function boostedTrees(): Network {
  const { leaves, nodes } = forest({ trees: 40, depth: 5, features: 12, mode: "BRANCH_LT", missing: true })
  const attributes = {
    classlabels_int64s: [0, 1],
    post_transform: { s: "LOGISTIC" },
    base_values: { floats: [0.3] },
    ...nodes,
    ...said("class", leaves, { ids: [0] }),
  }
  const model = writeModel({
    name: "boosted",
    nodes: [
      { op: "TreeEnsembleClassifier", domain: "ai.onnx.ml", inputs: ["x"], outputs: ["label", "scores"], attributes },
    ],
    inputs: [{ name: "x", dtype: "float32", dims: [8, 12] }],
    outputs: [
      { name: "label", dtype: "int64", dims: [8] },
      { name: "scores", dtype: "float32", dims: [8, 2] },
    ],
    irVersion: 9,
  })
  return { model, inputs: (seed = 1) => [floatTensor([8, 12], noise(seed))] }
}

export type Forest = { trees: number; depth: number; features: number; mode?: string; missing?: boolean }
/** Trees of several depths over some features, as the lists in which ONNX has them. */
export function forest({ trees, depth, features, mode = "BRANCH_LEQ", missing = false }: Forest) {
  const next = noise(trees * 7 + depth)
  const lists: Record<string, number[]> = {}
  const push = (row: Record<string, number>) => {
    for (const [name, value] of Object.entries(row)) lists[name] = [...(lists[name] ?? []), value]
  }
  const nodeModes: string[] = []
  const values: number[] = []
  const leaves: { tree: number; node: number }[] = []
  for (let tree = 0; tree < trees; tree++) {
    let id = 0
    const grow = (level: number): number => {
      const node = id++
      const at = nodeModes.length
      const isLeaf = level === 0 || (level < depth && Math.abs(next()) < 0.2)
      nodeModes.push(isLeaf ? "LEAF" : mode)
      values.push(isLeaf ? 0 : next())
      push({
        nodes_treeids: tree,
        nodes_nodeids: node,
        nodes_featureids: isLeaf ? 0 : Math.floor(Math.abs(next()) * features),
        nodes_missing_value_tracks_true: missing && !isLeaf && node % 2 === 0 ? 1 : 0,
        nodes_truenodeids: 0,
        nodes_falsenodeids: 0,
      })
      if (isLeaf) leaves.push({ tree, node })
      else {
        const [holds, fails] = [grow(level - 1), grow(level - 1)]
        lists.nodes_truenodeids![at] = holds
        lists.nodes_falsenodeids![at] = fails
      }
      return node
    }
    grow(depth)
  }
  return { leaves, nodes: { ...lists, nodes_modes: { strings: nodeModes }, nodes_values: { floats: values } } }
}

export type Said = { ids: readonly number[]; low?: number }
/** What each leaf says of each of the targets or classes. */
export function said(of: "target" | "class", leaves: ReturnType<typeof forest>["leaves"], { ids, low = -1 }: Said) {
  const next = noise(leaves.length)
  const all = leaves.flatMap((leaf) => ids.map((id) => ({ ...leaf, id })))
  return {
    [`${of}_treeids`]: all.map(({ tree }) => tree),
    [`${of}_nodeids`]: all.map(({ node }) => node),
    [`${of}_ids`]: all.map(({ id }) => id),
    [`${of}_weights`]: { floats: all.map(() => (low < 0 ? next() : Math.abs(next()) / 8)) },
  }
}
