import { sleep } from "./sleep.ts"

export type RetryParams = {
  signal: AbortSignal
  /** Gives up after so many; Infinity goes on until the signal. */
  attempts: number
  baseMs: number
  maxMs: number
  retryable: (error: unknown) => boolean
  onRetry?: (error: unknown, attempt: number) => void
}

/** Doubles the wait after each failure. The last error is thrown as it came. */
export async function retry<T>(
  run: (attempt: number) => Promise<T>,
  { signal, attempts, baseMs, maxMs, retryable, onRetry }: RetryParams,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await run(attempt)
    } catch (error) {
      if (signal.aborted || attempt >= attempts || !retryable(error)) throw error
      onRetry?.(error, attempt)
      await sleep(Math.min(baseMs * 2 ** (attempt - 1), maxMs), signal)
    }
  }
}
