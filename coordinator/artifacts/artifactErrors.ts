import type { Hex } from "viem"
import { refuse } from "../errors.ts"

/** What the disk said, in the words of the service. Anything else is a fault and passes unchanged. */
export function diskError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === "ENOSPC" || code === "EDQUOT") {
    return refuse(
      "E_DISK_FULL",
      "the coordinator's disk is full: nothing was stored, try again later",
      undefined,
      error,
    )
  }
  return error
}

export function unknown(sha256: Hex) {
  return refuse("E_ARTIFACT_UNKNOWN", `the coordinator has no artifact ${sha256}: upload it first`, { sha256 })
}

export function corrupt(sha256: Hex) {
  return refuse("E_ARTIFACT_CORRUPT", `the coordinator's copy of ${sha256} is damaged: upload it again`, { sha256 })
}
