/** Errors are data: callers branch on `detail.code`, never on the text of the message. */
export class CodedError<T extends { code: string } = { code: string }> extends Error {
  readonly detail: T

  /** `detail.message`, where there is one, becomes the one line for people: what, why, and what to do. */
  constructor(detail: T & { message?: string }, options?: ErrorOptions) {
    super(detail.message ?? detail.code, options)
    this.detail = detail
    this.name = new.target.name
  }

  get code(): string {
    return this.detail.code
  }
}

export function isCodedError(error: unknown): error is CodedError {
  return error instanceof CodedError
}
