import type { Hex } from "viem"
import { decodeBundle } from "#engine"
import {
  bundleName,
  formatJobId,
  JobResultsSchema,
  JobViewSchema,
  joinOutput,
  outputPart,
  type Tensor,
  taskSalt,
} from "#protocol"
import { clientError } from "../errors.ts"
import type { Coordinator } from "../http/coordinator.ts"

export type TaskOutput = {
  readonly index: number
  readonly worker: Hex
  readonly batchId: bigint | undefined
  readonly state: string
  readonly outputCommitment: Hex
  /** sha256 of the bundle that holds the outputs. */
  readonly outputHash: Hex
  /** By output name, in the model's order. */
  readonly outputs: Readonly<Record<string, Tensor>>
}

export type FetchResultsParams = {
  jobId: bigint
  /** With the job's salt each output is checked against the leaf that its worker signed. */
  jobSalt?: Hex
  /** Outputs repeat what the job's requester knows, or has fetched before: only the rest is downloaded. */
  isShared?: boolean
  signal?: AbortSignal
}

/** Outputs of every shard that the coordinator has. @throws E_OUTPUT_MISMATCH where bytes are not what was committed to */
export async function fetchResults(coordinator: Coordinator, params: FetchResultsParams): Promise<TaskOutput[]> {
  const { jobId, jobSalt, isShared = false, signal } = params
  const path = `/v1/jobs/${formatJobId(jobId)}`
  const { spec } = await coordinator.get(path, JobViewSchema, { signal })
  const { shards } = await coordinator.get(`${path}/results`, JobResultsSchema, { signed: true, signal })
  const results: TaskOutput[] = []
  for (const shard of shards) {
    const bundle = decodeBundle(await coordinator.getArtifact(shard.outputs, { isShared, signal }))
    const tensors = new Map(bundle.map(({ name, tensor }) => [name, tensor]))
    for (const leaf of shard.leaves) {
      const outputs = spec.model.outputs.map(({ name }): [string, Tensor] => {
        const tensor = tensors.get(bundleName(leaf.taskIndex, name))
        if (tensor) return [name, tensor]
        throw clientError("E_OUTPUT_MISMATCH", `the outputs of task ${leaf.taskIndex} lack '${name}'`)
      })
      if (jobSalt) {
        const part = outputPart(
          taskSalt(jobSalt, leaf.taskIndex),
          outputs.map(([, tensor]) => tensor),
        )
        if (joinOutput(part, leaf.digestPart) !== leaf.outputCommitment) {
          const message = `the outputs of task ${leaf.taskIndex} are not those that ${shard.worker} committed to`
          throw clientError("E_OUTPUT_MISMATCH", message)
        }
      }
      results.push({
        index: leaf.taskIndex,
        worker: shard.worker,
        batchId: shard.batchId,
        state: shard.state,
        outputCommitment: leaf.outputCommitment,
        outputHash: shard.outputs,
        outputs: Object.fromEntries(outputs),
      })
    }
  }
  return results.sort((a, b) => a.index - b.index)
}
