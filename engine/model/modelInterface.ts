import { dtypeOfOnnxNumber } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { engineError } from "../errors.ts"
import { readModel } from "../onnx/readModel.ts"
import type { OnnxModel, OnnxValueInfo } from "../onnx/types.ts"

/** The key under which a model that we prepared for the market names its digest tensors (R7), a JSON array. */
export const DIGEST_METADATA_KEY = "assay.digest"

/** What a model takes and gives, with static shapes. */
export type ModelInterface = {
  readonly inputs: readonly ValueInfo[]
  /** Without the digest tensors. */
  readonly outputs: readonly ValueInfo[]
  readonly digestTensors: readonly ValueInfo[]
}

/** The interface of a model as the market stores it, read without running it. */
export function readModelInterface(bytes: Uint8Array): ModelInterface {
  return interfaceOf(readModel(bytes))
}

export function interfaceOf(model: OnnxModel): ModelInterface {
  const digestNames = digestNamesOf(model)
  const outputs = model.graph.outputs.map((value) => staticValue(value, "output"))
  return {
    inputs: requiredInputs(model).map((value) => staticValue(value, "input")),
    outputs: outputs.filter(({ name }) => !digestNames.includes(name)),
    digestTensors: digestNames.map((name) => {
      const value = outputs.find((output) => output.name === name)
      if (!value)
        throw engineError("E_MODEL_INVALID", `the model names the digest tensor "${name}" but does not put it out`)
      return value
    }),
  }
}

/** Graph inputs that a caller must give: files of IR version 3 list their weights among the inputs as well. */
export function requiredInputs(model: OnnxModel): OnnxValueInfo[] {
  const initialized = new Set(model.graph.initializers.map(({ name }) => name))
  return model.graph.inputs.filter(({ name }) => !initialized.has(name))
}

/** Undefined metadata means that nobody has chosen digest tensors yet; an empty list that there are none. */
export function digestNamesOf(model: OnnxModel): string[] {
  const text = model.metadata.get(DIGEST_METADATA_KEY)
  if (text === undefined) return []
  try {
    const names: unknown = JSON.parse(text)
    if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names
  } catch {
    // Falls through to the one error for every kind of nonsense.
  }
  throw engineError("E_MODEL_INVALID", `the model's ${DIGEST_METADATA_KEY} entry is not a list of names`, {
    remedy: "remove the entry, or start from the model as it was exported",
  })
}

function staticValue(value: OnnxValueInfo, what: "input" | "output"): ValueInfo {
  const dtype = dtypeOfOnnxNumber(value.elementType)
  if (value.kind !== "tensor" || !dtype)
    throw engineError(
      "E_MODEL_DTYPE",
      `${what} "${value.name}" is ${describeType(value)}; only tensors of numbers can be committed to`,
      {
        remedy: "turn strings into numbers, and sequences or maps into tensors, outside the model",
        ...(what === "input" ? { input: value.name } : {}),
      },
    )
  const dims = value.dims
  if (!dims || dims.some((dim) => typeof dim !== "number" || dim < 0))
    throw engineError(
      "E_MODEL_DYNAMIC_SHAPE",
      `${what} "${value.name}" has the shape ${describeDims(dims)}; every dimension must be a number`,
      { remedy: "export again without dynamic axes, with the batch size that one task shall have" },
    )
  return { name: value.name, dtype, dims: dims as number[] }
}

export function describeDims(dims: readonly (number | string)[] | undefined): string {
  return dims ? `[${dims.map((dim) => (dim === "" ? "?" : dim)).join(", ")}]` : "unknown"
}

function describeType(value: OnnxValueInfo): string {
  if (value.kind === "none") return "of no stated type"
  if (value.kind !== "tensor") return `a ${value.kind}`
  if (value.elementType === 8) return "a tensor of strings"
  return `a tensor of element type ${value.elementType}`
}
