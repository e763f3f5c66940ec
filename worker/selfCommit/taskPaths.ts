import type { Hex } from "viem"
import { ceilLog2, inputLeaf, type LeaseBundle, PAIR_SCHEME } from "#protocol"

/**
 * The path of each task of a lease against `terms.inputs`, out of the lease's one multiproof: verifiers and jurors of a
 * self-committed batch get theirs from the worker, who never saw the whole tree.
 */
export function taskPaths({ firstTask, inputCommitments, inputProof, terms }: TaskPathsParams): Hex[][] {
  const paths: Hex[][] = inputCommitments.map(() => [])
  let nodes = inputCommitments.map((commitment, i) => inputLeaf(firstTask + i, commitment))
  let first = firstTask
  let used = 0
  for (let level = 0; level < ceilLog2(terms.tasks); level++) {
    if (first % 2 === 1) {
      nodes = [inputProof[used++]!, ...nodes]
      first--
    }
    if ((first + nodes.length) % 2 === 1) nodes = [...nodes, inputProof[used++]!]
    for (const [i, path] of paths.entries()) path.push(nodes[(((firstTask + i) >>> level) ^ 1) - first]!)
    nodes = Array.from({ length: nodes.length / 2 }, (_, i) => PAIR_SCHEME.join(nodes[2 * i]!, nodes[2 * i + 1]!))
    first /= 2
  }
  return paths
}

export type TaskPathsParams = Pick<LeaseBundle, "firstTask" | "inputCommitments" | "inputProof" | "terms">
