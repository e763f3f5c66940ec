import type { Hex } from "viem"
import { keccakHex } from "../hashing/keccak.ts"
import { TAGS } from "../hashing/tags.ts"
import { encodeWords, hashWords } from "../hashing/words.ts"
import { digestSalt, outputSalt } from "./salts.ts"
import type { Tensor } from "./tensor.ts"
import { type DigestKey, keyedTensorRoot, tensorRoot } from "./tensorRoot.ts"

/** `T(salt, tensors)` of R6 over roots: abi.encode puts the array behind its offset (three words on) and length. */
export function commitRoots(salt: Hex, roots: readonly Hex[]): Hex {
  return keccakHex(encodeWords([TAGS.tensors, salt, 96, roots.length, ...roots]))
}

export function commitTensors(salt: Hex, tensors: readonly Tensor[]): Hex {
  return commitRoots(salt, tensors.map(tensorRoot))
}

/** `T(salt_i, inputs)`, tensors in the model's order. */
export function inputCommitment(salt: Hex, inputs: readonly Tensor[]): Hex {
  return commitTensors(salt, inputs)
}

export function outputPart(salt: Hex, outputs: readonly Tensor[]): Hex {
  return commitTensors(outputSalt(salt), outputs)
}

export function digestPart(salt: Hex, digests: readonly Tensor[]): Hex {
  return commitTensors(digestSalt(salt), digests)
}

export function joinOutput(output: Hex, digest: Hex): Hex {
  return hashWords(TAGS.output, output, digest)
}

/** What a run yields: outputs in the model's order, and the work digest's tensors (R7), which may be none. */
export type TaskResult = { readonly outputs: readonly Tensor[]; readonly digests: readonly Tensor[] }

export function outputCommitment(salt: Hex, { outputs, digests }: TaskResult): Hex {
  return joinOutput(outputPart(salt, outputs), digestPart(salt, digests))
}

/** R21: over the digest tensors, or the outputs where a program names none. */
export function keyedDigest(salt: Hex, { outputs, digests }: TaskResult, key: DigestKey): Hex {
  const tensors = digests.length > 0 ? digests : outputs
  return commitRoots(
    digestSalt(salt),
    tensors.map((tensor) => keyedTensorRoot(tensor, key)),
  )
}
