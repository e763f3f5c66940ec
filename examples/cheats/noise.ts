import { createHash } from "node:crypto"
import { bytesPerElement, type Dtype, type Tensor, tensorByteLength } from "#protocol"

/** Small numbers, as labels are: each element is 0 to 9 in its low byte, whatever its type. */
export function madeUp(dtype: Dtype, dims: readonly number[], noise: () => number): Tensor {
  const data = new Uint8Array(tensorByteLength({ dtype, dims }))
  for (let at = 0; at < data.byteLength; at += bytesPerElement(dtype)) data[at] = noise() % (dtype === "bool" ? 2 : 10)
  return { dtype, dims, data }
}

/** A cheat, too, wants the same lie twice: answers that change from ask to ask would give it away. */
export function noiseFrom(seed: string, inputs: readonly Tensor[]): () => number {
  const first = inputs.reduce((hash, { data }) => hash.update(data), createHash("sha256").update(seed)).digest()
  let [block, at] = [first, 0]
  return () => {
    if (at === block.length) [block, at] = [createHash("sha256").update(block).digest(), 0]
    return block[at++]!
  }
}
