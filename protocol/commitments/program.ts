import { encodeAbiParameters, type Hex, keccak256 } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { hashWords } from "../hashing/words.ts"

export const PROGRAM_VERSION = 0

export type ProgramRootParams = { modelSha256: Hex; digestTensors: readonly string[] }

/** Version 0 (R2): the model's bytes and the names of the work digest's tensors, in the digest's order. */
export function programRoot({ modelSha256, digestTensors }: ProgramRootParams): Hex {
  const names = keccak256(encodeAbiParameters([{ type: "string[]" }], [digestTensors]))
  return hashWords(TAGS.program, PROGRAM_VERSION, modelSha256, names)
}
