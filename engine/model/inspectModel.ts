import { createHash } from "node:crypto"
import type { Hex } from "viem"
import { type Dtype, dtypeOfOnnxNumber, elementCount } from "#protocol"
import { EngineError } from "../errors.ts"
import { readModel } from "../onnx/readModel.ts"
import type { OnnxModel, OnnxValueInfo } from "../onnx/types.ts"
import { upgradeOpset } from "../onnx/upgradeOpset.ts"
import { exactRefusals } from "../program/normalizeModel.ts"
import type { Runner } from "../run/runner.ts"
import { chooseDigest } from "./chooseDigest.ts"
import { estimateMemoryBytes, graphFlops, type MemoryTierGiB, memoryTierFor } from "./cost.ts"
import { type GraphValues, graphValues } from "./graphValues.ts"
import { assertFileSize, MODEL_LIMITS, type ModelLimits, type Refusal, refusalsOf } from "./marketRules.ts"
import { digestNamesOf, requiredInputs } from "./modelInterface.ts"
import { type InnerValues, probeShapes } from "./probeShapes.ts"

export type InspectedValue = {
  readonly name: string
  /** "string", "sequence" and the like for what the market refuses. */
  readonly dtype: Dtype | string
  readonly dims: readonly (number | string)[]
}

export type Inspection = {
  readonly sha256: Hex
  readonly fileBytes: number
  readonly producer: string
  readonly opset: number
  readonly inputs: readonly InspectedValue[]
  readonly outputs: readonly InspectedValue[]
  /** Numbers in the model's weights. */
  readonly parameters: number
  readonly operations: readonly { readonly op: string; readonly count: number }[]
  /** Undefined where the graph could not be analysed; `exact.refused` says why. */
  readonly flops: number | undefined
  readonly memoryBytes: number | undefined
  readonly memoryTierGiB: MemoryTierGiB | undefined
  readonly digest: { readonly tensors: readonly string[]; readonly note: string }
  readonly exact: { readonly ok: boolean; readonly refused: readonly Refusal[] }
}

export type InspectModelDeps = { readonly runner: Runner; readonly limits?: ModelLimits }

/** Everything about a model that can be known without running it. Throws only if the bytes are no ONNX model. */
export async function inspectModel(
  { runner, limits = MODEL_LIMITS }: InspectModelDeps,
  bytes: Uint8Array,
): Promise<Inspection> {
  assertFileSize(bytes.byteLength, limits)
  const file = readModel(bytes)
  const upgraded = upgradeOpset(bytes)
  const model = upgraded === bytes ? file : readModel(upgraded)
  const refused = refusalsOf(model, limits)
  let inner: InnerValues | undefined
  // Weights in another file would make onnxruntime look for them on this disk.
  if (!refused.some(({ code }) => code === "E_MODEL_EXTERNAL_DATA")) {
    try {
      inner = await probeShapes(runner, upgraded, model)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const refusal = asRefusal(error)
      // onnxruntime stops at the first node that it dislikes, which our own rules may have named already.
      if (!refused.some(({ op }) => op !== "" && op === refusal.op)) refused.push(refusal)
    }
  }
  const taken = refused.length === 0
  if (taken) refused.push(...(await exactRefusals(runner, upgraded, model)))
  const values = inner && graphValues(model, inner)
  const memoryBytes = values && estimateMemoryBytes(values, bytes.byteLength)
  const marked = taken ? digestNamesOf(model) : []
  return {
    sha256: `0x${createHash("sha256").update(bytes).digest("hex")}`,
    fileBytes: bytes.byteLength,
    producer: model.producer,
    opset: file.opsets.find(({ domain }) => domain === "")?.version ?? 0,
    inputs: requiredInputs(model).map(inspectValue),
    outputs: model.graph.outputs.filter(({ name }) => !marked.includes(name)).map(inspectValue),
    parameters: model.graph.initializers.reduce((sum, { dims }) => sum + elementCount(dims), 0),
    operations: countOperations(model),
    flops: values && graphFlops(values),
    memoryBytes,
    memoryTierGiB: memoryBytes === undefined ? undefined : memoryTierFor(memoryBytes),
    digest: digestOf(marked, values),
    exact: { ok: refused.length === 0, refused },
  }
}

function digestOf(marked: readonly string[], values: GraphValues | undefined): Inspection["digest"] {
  if (marked.length > 0) return { tensors: marked, note: "chosen when the model was prepared" }
  if (!values) return { tensors: [], note: "not chosen, since the graph could not be analysed" }
  const { tensors, note } = chooseDigest(values)
  return { tensors: tensors.map(({ name }) => name), note }
}

function asRefusal(error: EngineError): Refusal {
  const { code, message, node = "", op = "", remedy = "export the model again" } = error.detail
  return { code: code as Refusal["code"], node, op, why: message, remedy }
}

function inspectValue(value: OnnxValueInfo): InspectedValue {
  const dtype =
    dtypeOfOnnxNumber(value.elementType) ?? (value.elementType === 8 ? "string" : `type ${value.elementType}`)
  return { name: value.name, dtype: value.kind === "tensor" ? dtype : value.kind, dims: value.dims ?? ["?"] }
}

function countOperations(model: OnnxModel): { op: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const { op, domain } of model.graph.nodes) {
    const name = domain ? `${domain}.${op}` : op
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([op, count]) => ({ op, count })).sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1))
}
