import type { Hex } from "viem"
import type { Tensor } from "../commitments/tensor.ts"
import { tensorRoot } from "../commitments/tensorRoot.ts"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"
import { buildPairTree } from "../trees/pairTree.ts"
import type { Tree } from "../trees/positional.ts"

/** `keccak256(abi.encode("assay.wire", wire, tensorRoot))` */
export function wireLeaf(wire: number, root: Hex): Hex {
  return hashWords(TAGS.wire, wire, root)
}

/** Every wire's tensor, in wire order, and the tree over their roots. */
export type Trace = {
  readonly tensors: readonly Tensor[]
  readonly roots: readonly Hex[]
  readonly tree: Tree<Hex>
}

/** Tensors are taken as they are: float32 NaN must be canonical already. */
export function buildTrace(tensors: readonly Tensor[]): Trace {
  return traceOf(tensors, tensors.map(tensorRoot))
}

/** The trace in which some wires hold other tensors, at the price of hashing those alone. */
export function withTensors(trace: Trace, replaced: ReadonlyMap<number, Tensor>): Trace {
  return traceOf(
    trace.tensors.map((tensor, wire) => replaced.get(wire) ?? tensor),
    trace.roots.map((root, wire) => (replaced.has(wire) ? tensorRoot(replaced.get(wire)!) : root)),
  )
}

/** The first wire whose tensor differs: every operand of its operation is the same in both. */
export function firstDifferingWire(a: Trace, b: Trace): number | undefined {
  const wire = a.roots.findIndex((root, i) => root !== b.roots[i])
  return wire === -1 ? undefined : wire
}

function traceOf(tensors: readonly Tensor[], roots: readonly Hex[]): Trace {
  return { tensors, roots, tree: buildPairTree(roots.map((root, wire) => wireLeaf(wire, root))) }
}
