import { bytesPerElement, elementCount } from "#protocol"
import type { Judge } from "./judge.ts"
import { bitsOf, createDice, type Dice, MAKERS, runNode } from "./operations.ts"

export type Tally = { readonly elements: number; readonly operations: Readonly<Record<string, number>> }

/** How the referee and onnxruntime differ in one element; all that is needed to see it again. */
export type Difference = {
  readonly operation: number
  readonly op: string
  readonly element: number
  readonly referee: string
  readonly onnxruntime: string
  readonly operands: readonly string[]
}

/**
 * Random operations on random and adversarial values: what onnxruntime gives under the exact profile, and what the
 * referee says of up to `each` elements of it. Stops at the first difference.
 */
export async function fuzzReferee(
  judge: Pick<Judge, "evaluate">,
  { seed, elements, each = 24 }: { seed: number; elements: number; each?: number },
): Promise<{ readonly tally: Tally; readonly difference?: Difference }> {
  const dice = createDice(seed)
  const operations: Record<string, number> = {}
  let judged = 0
  for (let i = 0; judged < elements; i++) {
    const { op, judged: operation, result } = await runNode(MAKERS[i % MAKERS.length]!(dice))
    const chosen = someElements(dice, elementCount(result.dims), Math.min(each, elements - judged))
    const verdicts = await judge.evaluate(operation, chosen)
    const width = bytesPerElement(result.dtype)
    for (const [place, { bits, defined }] of verdicts.entries()) {
      const element = chosen[place]!
      const expected = bitsOf(result, width, element)
      if (defined && bits === expected) continue
      const difference = {
        operation: i,
        op,
        element,
        referee: defined ? `0x${bits.toString(16)}` : "no value",
        onnxruntime: `0x${expected.toString(16)}`,
        operands: operation.operands.map(
          ({ dtype, dims, data }) => `${dtype} [${dims}] ${Buffer.from(data.subarray(0, 256)).toString("hex")}`,
        ),
      }
      return { tally: { elements: judged, operations }, difference }
    }
    judged += chosen.length
    operations[op] = (operations[op] ?? 0) + chosen.length
  }
  return { tally: { elements: judged, operations } }
}

function someElements(dice: Dice, count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i)
  return Array.from({ length: most }, () => dice.below(count))
}
