import type { Hex } from "viem"
import { buildVerdictTree, packVerifiers, SILENT_VERDICT, type Tree, type VerdictLeaf } from "#protocol"
import type { samples, verdicts } from "../store/schema.ts"

type SampleRow = Pick<typeof samples.$inferSelect, "sample" | "range">
type VerdictRow = Pick<typeof verdicts.$inferSelect, "sample" | "verifier" | "units" | "verdictHash" | "receivedAt">

export type VerdictSet<V extends VerdictRow> = {
  tree: Tree<Hex>
  verifiers: bigint[]
  silentRanges: bigint
  /** The verdict used for each sample; undefined where nobody answered. */
  used: (V | undefined)[]
}

/** What an attestation says of the verdicts that are there: the first of each sample, SILENT where there is none (R24). */
export function verdictSet<V extends VerdictRow>(drawn: readonly SampleRow[], stored: readonly V[]): VerdictSet<V> {
  const sorted = [...drawn].sort((a, b) => a.sample - b.sample)
  const first = new Map<number, V>()
  for (const verdict of [...stored].sort(byArrival)) {
    if (!first.has(verdict.sample)) first.set(verdict.sample, verdict)
  }
  const used = sorted.map(({ sample }) => first.get(sample))
  const leaves: VerdictLeaf[] = used.map((verdict) => verdict ?? SILENT_VERDICT)
  const silent = sorted.filter((_, i) => used[i] === undefined)
  return {
    tree: buildVerdictTree(leaves),
    verifiers: packVerifiers(used.filter((verdict) => verdict !== undefined)),
    silentRanges: silent.reduce((mask, { range }) => mask | (1n << BigInt(range)), 0n),
    used,
  }
}

/** By time, and by account where two came at once: replicas and restarts must choose alike. */
function byArrival(a: VerdictRow, b: VerdictRow): number {
  return a.receivedAt.getTime() - b.receivedAt.getTime() || (a.verifier < b.verifier ? -1 : 1)
}
