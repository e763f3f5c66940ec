import { CodedError } from "../errors/codedError.ts"

export type Refusal = {
  readonly code: "E_STATE_WRONG" | "E_STATE_TOO_EARLY" | "E_STATE_TOO_LATE" | "E_STATE_HELD" | "E_STATE_NOT_YOURS"
  readonly rule: string
  readonly message: string
  /** Chain time at which it becomes possible, where waiting helps. */
  readonly from?: number
}

/** An event that the state does not allow. From a chain log it means that the log was misread, or read twice. */
export class StateError extends CodedError<Refusal> {}
