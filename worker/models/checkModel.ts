import type { Hex } from "viem"
import {
  checkFirstInput,
  type LoadedModel,
  type ModelArtifact,
  type Runner,
  type ShardTask,
  type ValueInfo,
} from "#engine"
import type { Spec } from "#protocol"
import { codeOf, workerError } from "../errors.ts"

export function modelArtifact(spec: Spec, path: string): ModelArtifact {
  const { sha256, inputs, outputs, digestTensors } = spec.model
  return { sha256, path, inputs, outputs, digestTensors }
}

/** The model as the computing process reads it must take and give what the spec says: the spec is a peer's word. */
export function checkInterface({ model }: Spec, loaded: LoadedModel): void {
  const outputs = loaded.outputs.map(({ name }) => name)
  const stated = [...model.outputs.map(({ name }) => name), ...model.digestTensors]
  const agree =
    samePorts(model.inputs, loaded.inputs) &&
    samePorts(model.outputs, loaded.outputs.slice(0, model.outputs.length)) &&
    outputs.length === stated.length &&
    outputs.every((name, i) => name === stated[i])
  if (!agree)
    throw workerError("E_LEASE_MODEL", "the model's inputs, outputs or digest tensors are not those of the spec")
}

function samePorts(stated: readonly ValueInfo[], found: readonly ValueInfo[]): boolean {
  return (
    stated.length === found.length &&
    stated.every(({ name, dtype, dims }, i) => {
      const other = found[i]!
      return name === other.name && dtype === other.dtype && `${dims}` === `${other.dims}`
    })
  )
}

export type CheckModelParams = { model: ModelArtifact; spec: Spec; programRoot: Hex; task: ShardTask }

/**
 * R2, before any work on a model: the file is the program that the terms name, and its first input gives the same bits
 * alone and traced. A program that differs from its file, or runs that differ, would make an honest worker's leaves wrong.
 */
async function checkModel(
  { runner }: { runner: Runner },
  { model, spec, programRoot, task }: CheckModelParams,
): Promise<void> {
  checkInterface(spec, await runner.load(model.path, model.sha256))
  const root = await runner.programRoot(model.sha256)
  if (root !== programRoot) {
    throw workerError("E_LEASE_MODEL", `the model's program is ${root}, the terms name ${programRoot} (R2)`)
  }
  await checkFirstInput(runner, model, task.inputs)
}

/** Remembers what passed in this process: the check costs two loads and two runs, once a model. */
export type ModelChecks = { check(params: CheckModelParams): Promise<void> }

export function createModelChecks(deps: { runner: Runner }): ModelChecks {
  const results = new Map<string, Promise<void>>()
  return {
    check(params) {
      // The same bytes under another description need another look at the interface.
      const key = JSON.stringify([params.spec.model, params.programRoot])
      const running =
        results.get(key) ??
        checkModel(deps, params).catch((error: unknown) => {
          // A crash or a timeout may have been the machine's mood: the next lease may try again.
          if (codeOf(error) !== "E_RUN_NOT_REPRODUCIBLE") results.delete(key)
          throw error
        })
      results.set(key, running)
      return running
    },
  }
}
