import { CodedError } from "#protocol"

/** What the service refuses or could not do. `message` says what, why and what to do; other fields are the facts. */
export type CoordinatorErrorDetail = { code: string; message: string; details?: Record<string, unknown> }
export class CoordinatorError extends CodedError<CoordinatorErrorDetail> {}

export function refuse(code: string, message: string, details?: Record<string, unknown>, cause?: unknown) {
  return new CoordinatorError(
    { code, message, ...(details ? { details } : {}) },
    cause === undefined ? undefined : { cause },
  )
}
