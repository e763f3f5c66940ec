import { elementsOf, type Runner } from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"

/** Samples along the first dim: uint8 tokens (samples, length) and what shall follow, uint8 (samples, answer). */
export type Samples = { readonly tokens: Tensor; readonly answers: Tensor }

/** Mean cross-entropy of an answer, in nats. `model` gives logits for `batch` samples, whose multiple there are. */
export async function meanCrossEntropy(
  runner: Runner,
  model: Uint8Array,
  { tokens, answers }: Samples,
  batch: number,
): Promise<number> {
  const hash = hexOf(sha256(model))
  await runner.load(model, hash)
  const length = tokens.dims[1]!
  const answer = answers.dims[1]!
  const count = answers.dims[0]!
  let sum = 0
  for (let at = 0; at < count; at += batch) {
    const data = tokens.data.slice(at * length, (at + batch) * length)
    const [logits] = await runner.run(hash, [{ dtype: "uint8", dims: [batch, length], data }])
    const values = elementsOf(logits!) as Float32Array
    const classes = values.length / (batch * answer)
    for (let i = 0; i < batch * answer; i++) {
      const row = values.subarray(i * classes, (i + 1) * classes)
      const most = row.reduce((a, b) => Math.max(a, b))
      const right = row[answers.data[at * answer + i]!]!
      sum += Math.log(row.reduce((total, value) => total + Math.exp(value - most), 0)) - (right - most)
    }
  }
  return sum / (count * answer)
}
