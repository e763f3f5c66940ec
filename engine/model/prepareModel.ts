import { createHash } from "node:crypto"
import type { Hex } from "viem"
import type { ModelArtifact, ValueInfo } from "../backend.ts"
import { extendModel } from "../onnx/extendModel.ts"
import { readModel } from "../onnx/readModel.ts"
import { upgradeOpset } from "../onnx/upgradeOpset.ts"
import type { Runner } from "../run/runner.ts"
import { chooseDigest } from "./chooseDigest.ts"
import { estimateMemoryBytes, graphFlops } from "./cost.ts"
import { graphValues } from "./graphValues.ts"
import { assertFileSize, assertMarketModel, MODEL_LIMITS, type ModelLimits } from "./marketRules.ts"
import { DIGEST_METADATA_KEY, interfaceOf } from "./modelInterface.ts"
import { probeShapes } from "./probeShapes.ts"

export type PreparedModel = Omit<ModelArtifact, "path"> & {
  /** The market's artifact: the model with its digest tensors as extra outputs. What runs are these bytes. */
  readonly bytes: Uint8Array
  readonly digestNote: string
  readonly flops: number
  readonly memoryBytes: number
}

export type PrepareModelDeps = { readonly runner: Runner; readonly limits?: ModelLimits }

/**
 * Turns a requester's file into what a job commits to: refuses what the market cannot take, chooses the work digest
 * and exposes it. Preparing a prepared model changes nothing.
 */
export async function prepareModel(
  { runner, limits = MODEL_LIMITS }: PrepareModelDeps,
  file: Uint8Array,
): Promise<PreparedModel> {
  assertFileSize(file.byteLength, limits)
  const bytes = upgradeOpset(file)
  const model = readModel(bytes)
  assertMarketModel(model, bytes.byteLength, limits)
  const values = graphValues(model, await probeShapes(runner, bytes, model))
  const known = interfaceOf(model)
  const marked = model.metadata.has(DIGEST_METADATA_KEY)
  const choice = marked
    ? { tensors: known.digestTensors, note: "chosen when the model was prepared" }
    : chooseDigest(values)
  const prepared = marked || choice.tensors.length === 0 ? bytes : expose(bytes, choice.tensors)
  return {
    bytes: prepared,
    sha256: sha256(prepared),
    inputs: known.inputs,
    outputs: known.outputs,
    digestTensors: choice.tensors.map(({ name }) => name),
    digestNote: choice.note,
    flops: graphFlops(values),
    memoryBytes: estimateMemoryBytes(values, prepared.byteLength),
  }
}

/** The work digest alone: the rewritten model and the names of the tensors it now puts out. */
export async function exposeDigest(
  deps: PrepareModelDeps,
  modelBytes: Uint8Array,
): Promise<{ modelBytes: Uint8Array; digestTensors: readonly string[] }> {
  const { bytes, digestTensors } = await prepareModel(deps, modelBytes)
  return { modelBytes: bytes, digestTensors }
}

/** What a worker knows of a stored model, read without running it. */
export function modelArtifact(bytes: Uint8Array, path: string): ModelArtifact {
  const model = readModel(bytes)
  assertMarketModel(model, bytes.byteLength)
  const { inputs, outputs, digestTensors } = interfaceOf(model)
  return { sha256: sha256(bytes), path, inputs, outputs, digestTensors: digestTensors.map(({ name }) => name) }
}

function expose(bytes: Uint8Array, tensors: readonly ValueInfo[]): Uint8Array {
  return extendModel(bytes, {
    outputs: tensors,
    metadata: { [DIGEST_METADATA_KEY]: JSON.stringify(tensors.map(({ name }) => name)) },
  })
}

function sha256(bytes: Uint8Array): Hex {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`
}
