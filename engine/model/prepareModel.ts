import { createHash } from "node:crypto"
import type { Hex } from "viem"
import type { ModelArtifact } from "../backend.ts"
import { readModel } from "../onnx/readModel.ts"
import { compileProgram } from "../program/compileProgram.ts"
import { normalizeModel } from "../program/normalizeModel.ts"
import type { Runner } from "../run/runner.ts"
import { estimateMemoryBytes, graphFlops } from "./cost.ts"
import { graphValues } from "./graphValues.ts"
import { assertMarketModel, type ModelLimits } from "./marketRules.ts"
import { interfaceOf } from "./modelInterface.ts"
import { probeShapes } from "./probeShapes.ts"

export type PreparedModel = Omit<ModelArtifact, "path"> & {
  /** The market's artifact: the model as a program, its digest tensors put out as well. What runs are these bytes. */
  readonly bytes: Uint8Array
  /** R2, version 1. */
  readonly programRoot: Hex
  readonly digestNote: string
  readonly flops: number
  readonly memoryBytes: number
}

export type PrepareModelDeps = { readonly runner: Runner; readonly limits?: ModelLimits }

/**
 * Turns a requester's file into what a job commits to: refuses what cannot be exact, rewrites the rest into a program.
 * Preparing a prepared model changes nothing.
 */
export async function prepareModel(deps: PrepareModelDeps, file: Uint8Array): Promise<PreparedModel> {
  const { bytes, digestTensors, digestNote } = await normalizeModel(deps, file)
  const model = readModel(bytes)
  const { inputs, outputs } = interfaceOf(model)
  const values = graphValues(model, await probeShapes(deps.runner, bytes, model))
  return {
    bytes,
    programRoot: compileProgram(bytes).root,
    sha256: sha256(bytes),
    inputs,
    outputs,
    digestTensors,
    digestNote,
    flops: graphFlops(values),
    memoryBytes: estimateMemoryBytes(values, bytes.byteLength),
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

function sha256(bytes: Uint8Array): Hex {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`
}
