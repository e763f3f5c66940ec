import type { Hex } from "viem"
import { bundleName, decodeBundle, encodeBundle, type NamedTensor } from "#engine/tensor/bundle.ts"
import { shardOfTask } from "#protocol"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import type { JobContext } from "../jobs/jobContexts.ts"

export type InputBundleDeps = { artifacts: Pick<ArtifactStore, "read"> }

/** The inputs of exactly these tasks in one file: a verifier or juror learns no other task's (R6). */
export async function bundleInputs(
  { artifacts }: InputBundleDeps,
  { context, taskIndexes }: { context: JobContext; taskIndexes: readonly number[] },
): Promise<Uint8Array> {
  const { terms, spec } = context
  const opened = new Map<Hex, Map<string, NamedTensor>>()
  const entries: NamedTensor[] = []
  for (const taskIndex of taskIndexes) {
    const { inputs } = spec.shards[shardOfTask(terms, taskIndex)]!
    let bundle = opened.get(inputs)
    if (!bundle) {
      bundle = new Map(decodeBundle(await artifacts.read(inputs)).map((entry) => [entry.name, entry]))
      opened.set(inputs, bundle)
    }
    for (const { name } of spec.model.inputs) {
      const entry = bundle.get(bundleName(taskIndex, name))
      // The bundle was held to the model's inputs at submission, and its bytes to their hash just now.
      if (!entry) throw new Error(`task ${taskIndex} has no input ${JSON.stringify(name)} in ${inputs}`)
      entries.push(entry)
    }
  }
  return encodeBundle(entries)
}
