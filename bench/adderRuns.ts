import { elementsOf, type Parameter, type Runner, type Training, withParameters } from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"
import { adderModel } from "../examples/adder/network.ts"
import { type Addition, ANSWER, encodeAdditions, VOCABULARY } from "../examples/adder/sums.ts"
import { adderTraining } from "../examples/adder/training.ts"

const LOSS_BATCH = 500

/** The adder's recipe with other weights to begin with, another order of samples, and another batch. */
export function adderOf(seed: number, batch: number): Training {
  return { ...adderTraining(), model: adderModel(batch, seed), batch, seed }
}

/** Mean cross-entropy a digit. `additions` are a multiple of 500. */
export async function lossOn(
  runner: Runner,
  parameters: readonly Parameter[],
  p: Tensor,
  additions: readonly Addition[],
): Promise<number> {
  const model = withParameters(adderModel(LOSS_BATCH), parameters, p)
  const hash = hexOf(sha256(model))
  await runner.load(model, hash)
  const classes = VOCABULARY.length
  let sum = 0
  for (let at = 0; at < additions.length; at += LOSS_BATCH) {
    const { tokens, answers } = encodeAdditions(additions.slice(at, at + LOSS_BATCH))
    const [logits] = await runner.run(hash, [tokens])
    const values = elementsOf(logits!) as Float32Array
    answers.data.forEach((answer, i) => {
      const row = values.subarray(i * classes, (i + 1) * classes)
      const most = row.reduce((a, b) => Math.max(a, b))
      sum += Math.log(row.reduce((total, value) => total + Math.exp(value - most), 0)) - (row[answer]! - most)
    })
  }
  return sum / (additions.length * ANSWER)
}
