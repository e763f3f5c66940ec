import { CodedError } from "#protocol"

/** Bytes that are no model the market can take. */
export type ModelErrorCode =
  | "E_MODEL_NOT_ONNX"
  | "E_MODEL_TRUNCATED"
  | "E_MODEL_EXTERNAL_DATA"
  | "E_MODEL_TOO_LARGE"
  | "E_MODEL_DYNAMIC_SHAPE"
  | "E_MODEL_DTYPE"
  | "E_MODEL_CONTROL_FLOW"
  | "E_MODEL_NONDETERMINISTIC"
  | "E_MODEL_UNSUPPORTED_OP"
  | "E_MODEL_REJECTED"
  | "E_MODEL_INVALID"
  | "E_MODEL_NOT_NORMAL"
  | "E_MODEL_NOT_EXACT"
  | "E_MODEL_NOT_QUANTIZABLE"

/** Inputs that do not fit the model, or files that are no inputs. */
export type InputErrorCode =
  | "E_INPUT_FORMAT"
  | "E_INPUT_TRUNCATED"
  | "E_INPUT_DTYPE"
  | "E_INPUT_SHAPE"
  | "E_INPUT_NAME"
  | "E_INPUT_MISSING"
  | "E_INPUT_TOO_LARGE"
  | "E_INPUT_FILE"

/** A bundle of tensors, as peers exchange them, that is not what it should be. */
export type BundleErrorCode = "E_BUNDLE_FORMAT" | "E_BUNDLE_TOO_LARGE"

/** The child process that computes. */
export type RunnerErrorCode =
  | "E_RUN_TIMEOUT"
  | "E_RUN_MEMORY"
  | "E_RUN_CRASHED"
  | "E_RUN_FAILED"
  | "E_RUN_ABORTED"
  | "E_RUN_OUTPUT_TOO_LARGE"
  | "E_RUN_NOT_LOADED"
  | "E_RUN_SCRATCH"
  | "E_RUN_CLOSED"
  | "E_RUN_NOT_REPRODUCIBLE"
  | "E_SELF_TEST_FAILED"
  | "E_DEVICE_UNAVAILABLE"

/** A round of training that cannot go on. */
export type RoundErrorCode = "E_ROUND_STATE" | "E_ROUND_LOSS"

/** A training step that cannot be made of a model, a loss and a data set. */
export type TrainErrorCode =
  | "E_TRAIN_LOSS_NOT_SCALAR"
  | "E_TRAIN_NO_GRADIENT"
  | "E_TRAIN_NO_DERIVATIVE"
  | "E_TRAIN_NOT_EXACT"
  | "E_TRAIN_SHAPE"
  | "E_TRAIN_NAME"
  | "E_TRAIN_OPTION"

export type EngineErrorCode =
  | ModelErrorCode
  | InputErrorCode
  | BundleErrorCode
  | RunnerErrorCode
  | RoundErrorCode
  | TrainErrorCode

/** `message` says what and why, `remedy` what to do; the rest are the facts a caller may need. */
export type EngineErrorDetail = {
  code: EngineErrorCode
  message: string
  remedy?: string
  node?: string
  op?: string
  input?: string
  facts?: Record<string, string | number>
}

export class EngineError extends CodedError<EngineErrorDetail> {}

export function engineError(
  code: EngineErrorCode,
  message: string,
  more: Omit<EngineErrorDetail, "code" | "message"> & { cause?: unknown } = {},
): EngineError {
  const { cause, ...facts } = more
  return new EngineError({ code, message, ...facts }, cause === undefined ? undefined : { cause })
}
