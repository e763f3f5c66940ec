import { createHash } from "node:crypto"
import { decodeElements, type Parameter, type Runner, withParameters } from "#engine"
import type { Tensor } from "#protocol"
import { adderModel } from "./network.ts"
import { type Addition, ANSWER, encodeAdditions, VOCABULARY } from "./sums.ts"

const BATCH = 500

/**
 * How many sums the network gets right in every digit. Where each digit follows from the right ones before it, writing
 * the answer digit by digit gives the same, so that one pass is enough.
 */
export async function exactMatches(
  { runner }: { readonly runner: Runner },
  parameters: readonly Parameter[],
  p: Tensor,
  additions: readonly Addition[],
): Promise<number> {
  const model = withParameters(adderModel(BATCH), parameters, p)
  const hash = `0x${createHash("sha256").update(model).digest("hex")}` as const
  await runner.load(model, hash)
  let right = 0
  for (let at = 0; at < additions.length; at += BATCH) {
    const part = additions.slice(at, at + BATCH)
    // The last batch is filled up with its first addition, which is not counted.
    const filled = Array.from({ length: BATCH }, (_, i) => part[i] ?? part[0]!)
    const { tokens, answers } = encodeAdditions(filled)
    const [logits] = await runner.run(hash, [tokens])
    right += rightRows(logits!, answers).slice(0, part.length).filter(Boolean).length
  }
  return right
}

function rightRows(logits: Tensor, answers: Tensor): boolean[] {
  const values = decodeElements(logits) as number[]
  const classes = VOCABULARY.length
  const digits = Array.from(answers.data, (answer, i) => {
    const row = values.slice(i * classes, (i + 1) * classes)
    return row.indexOf(Math.max(...row)) === answer
  })
  return Array.from({ length: digits.length / ANSWER }, (_, i) =>
    digits.slice(i * ANSWER, (i + 1) * ANSWER).every(Boolean),
  )
}
