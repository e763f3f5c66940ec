import { CodedError } from "#protocol"

/** `code` is stable; `message` says what, why and what to do. */
export type ClientErrorDetail = { code: string; message: string; status?: number; details?: unknown }

export class ClientError extends CodedError<ClientErrorDetail> {
  /** Whether the same call may succeed later: the coordinator or the chain was away, not the request wrong. */
  get retryable(): boolean {
    const { code, status } = this.detail
    return code === "E_COORDINATOR_DOWN" || code === "E_CHAIN_DOWN" || (status !== undefined && status >= 500)
  }
}

export function clientError(code: string, message: string, options?: ErrorOptions): ClientError {
  return new ClientError({ code, message }, options)
}
