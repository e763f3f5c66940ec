import { CodedError } from "#protocol/errors/codedError.ts"

/** An error of the command line itself. One line: what, why and what to do; the code is what scripts rely on. */
export class CliError extends CodedError {
  /** What was typed is at fault, and typing something else is the remedy: exit status 2. */
  readonly usage: boolean

  constructor(code: string, message: string, { usage = false, cause }: { usage?: boolean; cause?: unknown } = {}) {
    super({ code, message }, { cause })
    this.usage = usage
  }
}

export function usageError(code: string, message: string, cause?: unknown): CliError {
  return new CliError(code, message, { usage: true, cause })
}

export type ErrorStory = { code: string; message: string; causes: string[] }

/** Every room throws errors that carry `detail.code`; what has none is a fault of ours and is called E_INTERNAL. */
export function describeError(error: unknown): ErrorStory {
  const causes: string[] = []
  for (let cause = (error as { cause?: unknown })?.cause; cause !== undefined && causes.length < 8; ) {
    causes.push(`  caused by ${oneLine(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))}`)
    cause = (cause as { cause?: unknown })?.cause
  }
  const code = codeOf(error)
  if (code) {
    const message = error instanceof Error ? error.message : String(error)
    const remedy = (error as { detail?: { remedy?: unknown } }).detail?.remedy
    const what = oneLine(message === code ? factsOf(error) : message)
    return { code, message: typeof remedy === "string" && remedy !== "" ? `${what}: ${oneLine(remedy)}` : what, causes }
  }
  const system = systemError(error)
  if (system) return { ...system, causes }
  if (error instanceof Error && error.stack) causes.unshift(error.stack)
  return {
    code: "E_INTERNAL",
    message: `${oneLine(error instanceof Error ? error.message : String(error))} (this should not happen: --verbose shows where)`,
    causes,
  }
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { detail?: { code?: unknown } })?.detail?.code ?? (error as { code?: unknown })?.code
  return typeof code === "string" && code.startsWith("E_") ? code : undefined
}

/** A coded error without a sentence of its own still has its facts. */
function factsOf(error: unknown): string {
  const { code: _, ...facts } = (error as { detail: Record<string, unknown> }).detail ?? {}
  const text = JSON.stringify(facts, (_key, value) => (typeof value === "bigint" ? value.toString() : value))
  return text === "{}" ? String((error as Error).message) : text
}

/** Failures of the machine and of the chain's RPC that reach us from libraries. */
function systemError(error: unknown): { code: string; message: string } | undefined {
  for (let at: unknown = error, depth = 0; at && depth < 8; at = (at as { cause?: unknown }).cause, depth++) {
    const code = (at as { code?: unknown }).code
    const name = (at as { name?: unknown }).name
    if (code === "ENOSPC")
      return { code: "E_DISK_FULL", message: "the disk is full: free some space and run this again" }
    if (name === "AbortError") {
      return { code: "E_INTERRUPTED", message: "stopped before it was done; what was posted goes on" }
    }
    if (code === "EACCES" || code === "EROFS") {
      return { code: "E_PERMISSION", message: `${(at as Error).message}: choose another --home, or correct its owner` }
    }
    if (code === "EADDRINUSE") {
      return { code: "E_PORT_IN_USE", message: `${(at as Error).message}: choose another port` }
    }
    if (name === "HttpRequestError" || name === "TimeoutError") {
      const url = (at as { url?: string }).url ?? "the chain"
      return {
        code: "E_CHAIN_DOWN",
        message: `${url} does not answer: start it with \`assay up\` or \`assay chain\`, or name another with --rpc`,
      }
    }
    if (
      code === "ECONNREFUSED" ||
      code === "ENOTFOUND" ||
      code === "ECONNRESET" ||
      code === "UND_ERR_CONNECT_TIMEOUT"
    ) {
      return { code: "E_UNREACHABLE", message: `${(at as Error).message || code}: is the service running?` }
    }
  }
  return undefined
}

/** Codes whose remedy is to type something else: exit status 2. */
const badInput =
  /^E_(USAGE|MODEL|ONNX|INPUT|TENSOR|DTYPE|SHAPE|NPY|NPZ|JSON|PB|FILE|OP|UNSUPPORTED|FEE|AUDIT|TASKS|SHARD|TERMS|CAPABILITY|CLASS|DEADLINE|CONFIG|ADDRESS|AMOUNT|BAD|LIMIT)(_|$)/

export function isUsageError(error: unknown): boolean {
  if ((error as { usage?: unknown })?.usage === true) return true
  const code = codeOf(error)
  return code !== undefined && !(error instanceof CliError) && badInput.test(code)
}

export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim()
}
