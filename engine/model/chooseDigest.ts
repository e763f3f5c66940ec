import { bytesPerElement, elementCount } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { nodeFlops } from "./cost.ts"
import type { GraphValues } from "./graphValues.ts"
import { DIGEST_LIMITS } from "./marketRules.ts"
import { isFloat, precisionOf } from "./precision.ts"

export type DigestChoice = {
  /** In graph order. Empty: the outputs serve as the digest. */
  readonly tensors: readonly ValueInfo[]
  /** Why it came out so, for `inspect`. */
  readonly note: string
}

/**
 * Chooses the work digest (R7): the last full-precision float tensors before the first lossy step, at most two and
 * 16 kB; where there are more, those with the most work behind them.
 */
export function chooseDigest(values: GraphValues): DigestChoice {
  const precision = precisionOf(values)
  const outputs = new Set(values.outputs)
  const lossy = values.outputs.filter((name) => precision(name) === "quantized" || precision(name) === "collapsed")
  if (lossy.length === 0) return { tensors: [], note: "the outputs carry the work in full precision" }

  const candidates: (ValueInfo & { readonly position: number; readonly bytes: number })[] = []
  let [servedByOutput, tooLarge] = [false, false]
  const seen = new Set<string>()
  const stack = [...lossy]
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const producer = values.producers.get(name)
    const state = precision(name)
    if (!producer || state === "const" || state === "raw") continue
    const info = values.info(name)
    if (state === "full" && isFloat(info?.dtype) && info?.dtype && info.dims) {
      if (outputs.has(name)) {
        servedByOutput = true
        continue
      }
      const bytes = elementCount(info.dims) * bytesPerElement(info.dtype)
      if (bytes > 0 && bytes <= DIGEST_LIMITS.bytes) {
        candidates.push({ name, dtype: info.dtype, dims: info.dims, position: producer.position, bytes })
        continue
      }
      tooLarge ||= bytes > 0
    }
    // Lossy itself, not a float, or too large: what it was made of is the next best.
    stack.push(...producer.node.inputs)
  }

  const ranked = candidates
    .map((candidate) => ({ ...candidate, flops: flopsBehind(candidate.name, values) }))
    .sort((a, b) => b.flops - a.flops || b.position - a.position || (a.name < b.name ? -1 : 1))
  const chosen: typeof ranked = []
  for (const candidate of ranked) {
    const bytes = chosen.reduce((sum, other) => sum + other.bytes, candidate.bytes)
    if (chosen.length < DIGEST_LIMITS.tensors && bytes <= DIGEST_LIMITS.bytes) chosen.push(candidate)
  }
  chosen.sort((a, b) => a.position - b.position)
  return { tensors: chosen.map(({ name, dtype, dims }) => ({ name, dtype, dims })), note: noteFor(chosen.length) }

  function noteFor(count: number): string {
    if (count > 0) return "the last full-precision tensors before the first lossy step"
    if (servedByOutput) return "what stands before the lossy step is an output already"
    if (tooLarge)
      return `every full-precision tensor before the lossy step is larger than ${DIGEST_LIMITS.bytes} bytes: a guessed output may pass for a computed one`
    return "no full-precision tensor stands before the lossy step: a guessed output may pass for a computed one"
  }
}

/** The work of all nodes that a value depends on. */
function flopsBehind(name: string, values: GraphValues): number {
  const seen = new Set<number>()
  const stack = [name]
  let flops = 0
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const producer = values.producers.get(next)
    if (!producer || seen.has(producer.position)) continue
    seen.add(producer.position)
    flops += nodeFlops(producer.node, values)
    stack.push(...producer.node.inputs)
  }
  return flops
}
