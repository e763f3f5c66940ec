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
