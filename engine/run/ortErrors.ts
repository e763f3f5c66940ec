import { type EngineError, engineError } from "../errors.ts"

/** onnxruntime's refusals of a model, by message: its Node binding gives no codes. The patterns name op and node. */
const UNSUPPORTED: readonly RegExp[] = [
  /Could not find an implementation for (?<op>[^\s(]+)\(\S+\) node with name '(?<node>[^']*)'/,
  /(?:Fatal error: )?(?<op>[\w.:]+)\(-?\d+\) is not a registered function\/op/,
  /No (?:Op|opset import|schema) registered for (?<op>[^\s]+)/i,
  /In Node, \("(?<node>[^"]*)", (?<op>[^,]+), .*No opset import/,
]
const MISTYPED: readonly RegExp[] = [
  /of (?:input|output) parameter \([^)]*\) of operator \((?<op>[^)]*)\) in node \((?<node>[^)]*)\) is invalid/,
  /In Node, \("(?<node>[^"]*)", (?<op>[^,]+),/,
  /Node \((?<node>[^)]*)\) Op \((?<op>[^)]*)\)/,
  /Node:\s*(?<node>\S*)\s.*?Op(?:erator)?[: ]\s*(?<op>\S+)/,
]

/** Why onnxruntime did not take a model, as one of our codes. */
export function loadError(cause: unknown): EngineError {
  const text = oneLine(cause)
  if (/ExecutionProvider_|WebGPU adapter|no available backend/.test(text))
    return engineError("E_DEVICE_UNAVAILABLE", text, {
      remedy: "use --device cpu, or install the device's driver",
      cause,
    })
  for (const pattern of UNSUPPORTED) {
    const match = pattern.exec(text)
    if (!match) continue
    const { op, node } = match.groups as { op: string; node?: string }
    return engineError(
      "E_MODEL_UNSUPPORTED_OP",
      `${node ? `node ${node}: ` : ""}the operator ${op} is not one that onnxruntime's CPU provider can run`,
      {
        remedy: `export with a standard opset (7 to 22), or replace ${op} by standard operators`,
        op,
        node,
        cause,
      },
    )
  }
  const match = MISTYPED.map((pattern) => pattern.exec(text)).find((found) => found)
  const groups = match?.groups as { op?: string; node?: string } | undefined
  return engineError("E_MODEL_REJECTED", `onnxruntime does not take the model: ${text}`, {
    remedy: "check it with onnx.checker.check_model(model, full_check=True) and export it again",
    op: groups?.op,
    node: groups?.node,
    cause,
  })
}

/** Why a run failed on inputs that fit the model's interface. */
export function runError(cause: unknown): EngineError {
  const text = oneLine(cause)
  if (/failed to allocate|bad_alloc|Failed to allocate memory/i.test(text))
    return engineError("E_RUN_MEMORY", `the model ran out of memory: ${text}`, {
      remedy: "use a worker with more --memory",
      cause,
    })
  return engineError("E_RUN_FAILED", `onnxruntime could not run the model on this input: ${text}`, { cause })
}

/** Models choose node names: what they put into a message must not break a line or fill a log. */
function oneLine(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  return (
    text
      // Where in onnxruntime's own source a check failed says nothing to who has the model.
      .replace(/^\/\S+\.(?:cc|h):\d+ .*? was false\. /, "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
      .replace(/[\u0000-\u001f\u007f]+/g, " ")
      .slice(0, 500)
      .trim()
  )
}
