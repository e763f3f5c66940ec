import type { Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"

/** `salt_i`: given to whoever computes or audits task i, and to nobody else. *Labels could be guessed from hashes.* */
export function taskSalt(jobSalt: Hex, taskIndex: number): Hex {
  checkUint("taskIndex", 32, taskIndex)
  return hashWords(TAGS.salt, jobSalt, taskIndex)
}

export function outputSalt(salt: Hex): Hex {
  return hashWords(TAGS.saltOut, salt)
}

export function digestSalt(salt: Hex): Hex {
  return hashWords(TAGS.saltDigest, salt)
}
