import { bytesPerElement, dtypeOfOnnxNumber, elementCount } from "#protocol"
import type { ModelErrorCode } from "../errors.ts"
import { engineError } from "../errors.ts"
import type { OnnxModel, OnnxNode } from "../onnx/types.ts"
import { digestNamesOf, interfaceOf } from "./modelInterface.ts"

/**
 * What a model must be for a job (R2, version 0): one file, static shapes, one result per input, inside limits. Judged
 * from the file alone; whether onnxruntime knows its operators is asked in the child process (`inspectModel.ts`).
 */

export type ModelLimits = {
  readonly fileBytes: number
  /** All inputs, or all outputs, of one task. */
  readonly ioBytes: number
  readonly nodes: number
  readonly values: number
  readonly rank: number
}

export const MODEL_LIMITS: ModelLimits = {
  fileBytes: 1024 ** 3, // protobuf itself ends at 2 GiB, and a session holds the weights twice while it loads
  ioBytes: 256 * 1024 ** 2,
  nodes: 100_000,
  values: 256, // inputs, or outputs
  rank: 32,
}

/** What a computing process takes: a program with its inner tensors put out has more of them than any job (`traceProgram`). */
export const TRACED_LIMITS: ModelLimits = { ...MODEL_LIMITS, values: 4_096 }

/** The most bytes of digest tensors a task may have, and the most tensors (R7). */
export const DIGEST_LIMITS = { tensors: 2, bytes: 16 * 1024 } as const

export type Refusal = {
  readonly code: ModelErrorCode
  readonly node: string
  readonly op: string
  readonly why: string
  readonly remedy: string
}

const CONTROL_FLOW = new Set(["If", "Loop", "Scan", "SequenceMap"])
const RANDOM = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Multinomial",
  "Bernoulli",
])
const STRINGS = new Set(["StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"])
const SEQUENCES = new Set([
  "SequenceConstruct",
  "SequenceEmpty",
  "SequenceInsert",
  "SequenceErase",
  "SequenceAt",
  "SequenceLength",
  "SplitToSequence",
  "ConcatFromSequence",
  "Optional",
  "OptionalGetElement",
  "OptionalHasElement",
])
/** The shape of what they put out depends on the values, not only on the shapes, of what they take. */
const DATA_DEPENDENT_SHAPE = new Set(["NonZero", "Unique", "NonMaxSuppression", "Compress"])
const STRING_TYPE = 8

/** Every reason, in graph order; an empty list means that the market takes the model as far as the file can tell. */
export function refusalsOf(model: OnnxModel, limits: ModelLimits = MODEL_LIMITS): Refusal[] {
  const refusals: Refusal[] = []
  const { graph } = model
  const onModel = (code: ModelErrorCode, why: string, remedy: string) =>
    refusals.push({ code, node: "", op: "", why, remedy })
  if (graph.nodes.length > limits.nodes)
    onModel(
      "E_MODEL_TOO_LARGE",
      `it has ${graph.nodes.length} nodes; at most ${limits.nodes} are taken`,
      "simplify the graph",
    )
  if (graph.inputs.length - graph.initializers.length > limits.values || graph.outputs.length > limits.values)
    onModel("E_MODEL_TOO_LARGE", `it has more than ${limits.values} inputs or outputs`, "pack several tensors into one")
  if (graph.outputs.length === 0) onModel("E_MODEL_INVALID", "it has no output", "export it with an output")
  if (graph.sparseInitializers > 0) onModel("E_MODEL_DTYPE", "it has sparse weights", "export them as dense tensors")
  if (model.functions.length > 0)
    onModel(
      "E_MODEL_UNSUPPORTED_OP",
      `it defines functions of its own (${model.functions.slice(0, 3).join(", ")})`,
      "inline them, for example with onnx.inliner.inline_local_functions",
    )
  const external = [...graph.initializers, ...graph.nodes.flatMap(constantsOf)].find((tensor) => tensor.external)
  if (external)
    onModel(
      "E_MODEL_EXTERNAL_DATA",
      `the weights "${external.name}" live in another file, which is not part of the model`,
      "save it as one file: onnx.save(onnx.load(path), out, save_as_external_data=False)",
    )
  for (const tensor of graph.initializers)
    if (tensor.elementType === STRING_TYPE)
      onModel(
        "E_MODEL_DTYPE",
        `the constant "${tensor.name}" holds strings`,
        "turn strings into numbers outside the model",
      )
  for (const node of graph.nodes) refusals.push(...nodeRefusals(node))
  refusals.push(...interfaceRefusals(model, limits))
  return refusals
}

/** Throws the first refusal, its code and remedy with it. */
export function assertMarketModel(model: OnnxModel, fileBytes: number, limits: ModelLimits = MODEL_LIMITS): void {
  assertFileSize(fileBytes, limits)
  const [first] = refusalsOf(model, limits)
  if (first) throw refusalError(first)
}

export function assertFileSize(fileBytes: number, limits: ModelLimits = MODEL_LIMITS): void {
  if (fileBytes > limits.fileBytes)
    throw engineError("E_MODEL_TOO_LARGE", `the model has ${fileBytes} bytes; at most ${limits.fileBytes} are taken`, {
      remedy: "quantize it, or split it into several jobs",
      facts: { bytes: fileBytes, limit: limits.fileBytes },
    })
}

export function refusalError(refusal: Refusal) {
  const where = refusal.op ? `node ${refusal.node} (${refusal.op}): ` : "the model: "
  return engineError(refusal.code, `${where}${refusal.why}`, {
    remedy: refusal.remedy,
    node: refusal.node,
    op: refusal.op,
  })
}

/** A node's own name, or that of its first output where the exporter gave none. */
export function nodeLabel(node: OnnxNode): string {
  return node.name || `-> ${node.outputs.find((name) => name !== "") ?? "?"}`
}

function constantsOf(node: OnnxNode) {
  return [...node.attributes.values()].flatMap(({ tensors }) => tensors)
}

function nodeRefusals(node: OnnxNode): Refusal[] {
  const refuse = (code: ModelErrorCode, why: string, remedy: string): Refusal[] => [
    { code, node: nodeLabel(node), op: node.domain ? `${node.domain}.${node.op}` : node.op, why, remedy },
  ]
  const standard = node.domain === ""
  const attributes = [...node.attributes.values()]
  if ((standard && CONTROL_FLOW.has(node.op)) || attributes.some(({ graphs }) => graphs > 0))
    return refuse(
      "E_MODEL_CONTROL_FLOW",
      "control flow: how much work a task is would depend on its input",
      "unroll loops and resolve branches when exporting (torch.onnx.export by tracing does)",
    )
  if (standard && RANDOM.has(node.op))
    return refuse(
      "E_MODEL_NONDETERMINISTIC",
      "it draws random numbers, so two honest workers would differ",
      "draw the numbers outside and give them as an input",
    )
  if (standard && node.op === "Dropout" && node.inputs[2])
    return refuse(
      "E_MODEL_NONDETERMINISTIC",
      "dropout in training mode draws random numbers",
      "export the model in inference mode (model.eval())",
    )
  if (standard && DATA_DEPENDENT_SHAPE.has(node.op))
    return refuse(
      "E_MODEL_DYNAMIC_SHAPE",
      "the shape of its output depends on the values of its input",
      "end the model before it and do this step on the results",
    )
  if (node.domain === "ai.onnx.ml" && node.op === "ZipMap")
    return refuse(
      "E_MODEL_DTYPE",
      "it turns the scores into a list of maps",
      'convert the model without it: options={"zipmap": False} of skl2onnx',
    )
  if (standard && SEQUENCES.has(node.op))
    return refuse("E_MODEL_DTYPE", "it works on sequences, not tensors", "use tensors with a fixed number of elements")
  const castsToString = node.op === "Cast" && node.attributes.get("to")?.i === STRING_TYPE
  const holdsStrings = attributes.some(({ tensors }) => tensors.some(({ elementType }) => elementType === STRING_TYPE))
  if (standard && (STRINGS.has(node.op) || castsToString || holdsStrings))
    return refuse("E_MODEL_DTYPE", "it works on strings", "turn strings into numbers outside the model")
  if (attributes.some(({ sparse }) => sparse))
    return refuse("E_MODEL_DTYPE", "it holds a sparse tensor", "store it as a dense tensor")
  return []
}

function interfaceRefusals(model: OnnxModel, limits: ModelLimits): Refusal[] {
  const onModel = (code: ModelErrorCode, why: string, remedy: string): Refusal[] => [
    { code, node: "", op: "", why, remedy },
  ]
  for (const value of [...model.graph.inputs, ...model.graph.outputs])
    if (dtypeOfOnnxNumber(value.elementType) === "bfloat16")
      return onModel(
        "E_MODEL_DTYPE",
        `"${value.name}" is bfloat16, which onnxruntime's Node binding cannot pass`,
        "cast it to float32 at the edge of the model",
      )
  try {
    const { inputs, outputs, digestTensors } = interfaceOf(model)
    for (const [what, values] of [
      ["inputs", inputs],
      ["outputs", [...outputs, ...digestTensors]],
    ] as const) {
      const bytes = values.reduce((sum, { dtype, dims }) => sum + elementCount(dims) * bytesPerElement(dtype), 0)
      if (bytes > limits.ioBytes)
        return onModel(
          "E_MODEL_TOO_LARGE",
          `the ${what} of a task have ${bytes} bytes; at most ${limits.ioBytes} are taken`,
          "put fewer rows into one task",
        )
      const deep = values.find(({ dims }) => dims.length > limits.rank)
      if (deep) return onModel("E_MODEL_TOO_LARGE", `"${deep.name}" has ${deep.dims.length} dimensions`, "reshape it")
    }
    const digestBytes = digestTensors.reduce(
      (sum, { dtype, dims }) => sum + elementCount(dims) * bytesPerElement(dtype),
      0,
    )
    if (digestTensors.length > DIGEST_LIMITS.tensors || digestBytes > DIGEST_LIMITS.bytes)
      return onModel(
        "E_MODEL_INVALID",
        `it names ${digestTensors.length} digest tensors of ${digestBytes} bytes; R7 allows ${DIGEST_LIMITS.tensors} of ${DIGEST_LIMITS.bytes}`,
        "start from the model as it was exported",
      )
    const names = digestNamesOf(model)
    if (new Set(names).size !== names.length)
      return onModel("E_MODEL_INVALID", "it names a digest tensor twice", "start from the model as it was exported")
    if (outputs.length === 0)
      return onModel("E_MODEL_INVALID", "all its outputs are digest tensors", "start from the model as it was exported")
    return []
  } catch (error) {
    const detail = (error as { detail?: { code: ModelErrorCode; message: string; remedy?: string } }).detail
    if (!detail) throw error
    return onModel(detail.code, detail.message, detail.remedy ?? "export the model again")
  }
}
