import { CodedError } from "#protocol"

/** Why the worker refuses, waits or stops. The codes are those of the reason table, so that `why` and logs agree. */
export type WorkerErrorDetail = {
  code: string
  message: string
  /** What the operator can do about it. */
  remedy?: string
  facts?: Record<string, string | number | boolean>
}

export class WorkerError extends CodedError<WorkerErrorDetail> {}

export function workerError(
  code: string,
  message: string,
  more: Omit<WorkerErrorDetail, "code" | "message"> & { cause?: unknown } = {},
): WorkerError {
  const { cause, ...facts } = more
  return new WorkerError({ code, message, ...facts }, cause === undefined ? undefined : { cause })
}

/** The code of anything thrown; what carries none is a fault of the program and says so. */
export function codeOf(error: unknown): string {
  if (error instanceof CodedError) return error.code
  return isDiskFull(error) ? "E_DISK_FULL" : "E_INTERNAL"
}

export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isDiskFull(error)) return "the disk is full: free some space; nothing can be signed without a journal"
  // viem keeps the readable line apart from a page of context.
  const short = (error as { shortMessage?: unknown }).shortMessage
  return typeof short === "string" ? short : error.message
}

function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === "ENOSPC" || code === "EDQUOT"
}
