import { type Address, type Hex, zeroAddress, zeroHash } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"
import { buildPairTree } from "../trees/pairTree.ts"
import type { Tree } from "../trees/positional.ts"

/** A leaf of `verdictRoot` (R24), in sample order; `verdictHash` is the EIP-712 hashStruct of the verdict. */
export type VerdictLeaf = { readonly verifier: Address; readonly units: number; readonly verdictHash: Hex }

/** No candidate answered: the leaf says so, and attest names the range. */
export const SILENT_VERDICT: VerdictLeaf = { verifier: zeroAddress, units: 0, verdictHash: zeroHash }

export function verdictLeafHash(sample: number, { verifier, units, verdictHash }: VerdictLeaf): Hex {
  checkUint("sample", 32, sample)
  checkUint("units", 32, units)
  return hashWords(TAGS.verdict, sample, verifier, units, verdictHash)
}

export function buildVerdictTree(verdicts: readonly VerdictLeaf[]): Tree<Hex> {
  return buildPairTree(verdicts.map((verdict, sample) => verdictLeafHash(sample, verdict)))
}
