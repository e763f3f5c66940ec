import type { Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"
import { buildPairTree, verifyPairPath } from "../trees/pairTree.ts"
import { type Tree, treePath } from "../trees/positional.ts"

export function inputLeaf(taskIndex: number, commitment: Hex): Hex {
  checkUint("taskIndex", 32, taskIndex)
  return hashWords(TAGS.input, taskIndex, commitment)
}

/** The tree behind `Terms.inputs` (R1): one leaf a task, in task order. *Right program on a wrong input.* */
export function buildInputTree(commitments: readonly Hex[]): Tree<Hex> {
  return buildPairTree(commitments.map((commitment, i) => inputLeaf(i, commitment)))
}

export function inputsRoot(commitments: readonly Hex[]): Hex {
  return buildInputTree(commitments).root
}

export function inputPath(tree: Tree<Hex>, taskIndex: number): Hex[] {
  return treePath(tree, taskIndex)
}

export type InputPathParams = { root: Hex; tasks: number; taskIndex: number; commitment: Hex; path: readonly Hex[] }

export function verifyInputPath({ root, tasks, taskIndex, commitment, path }: InputPathParams): boolean {
  return verifyPairPath({ root, count: tasks, position: taskIndex, leaf: inputLeaf(taskIndex, commitment), path })
}
