import { type Hex, isAddressEqual, type LocalAccount, type PublicClient } from "viem"
import { decodeBundle } from "#engine"
import {
  bundleName,
  type Deployment,
  formatJobId,
  JobViewSchema,
  type Spec,
  shardTasks,
  type Tensor,
  type Terms,
  taskSalt,
} from "#protocol"
import { clientError } from "../errors.ts"
import type { Coordinator } from "../http/coordinator.ts"
import { fetchResults } from "../jobs/fetchResults.ts"
import { deriveJobSalt, readPostedJob } from "../jobs/jobSalt.ts"

export type OpenTasksDeps = {
  readonly chain: PublicClient
  readonly coordinator: Coordinator
  readonly deployment: Deployment
  readonly account: LocalAccount
}

/** What recomputing a job's tasks needs, for whoever may see inputs and salts. */
export type OpenTasks = {
  readonly jobId: bigint
  readonly terms: Terms
  readonly program: Uint8Array
  salt(taskIndex: number): Hex
  inputs(taskIndex: number): Promise<Tensor[]>
  /** Outputs as their worker uploaded them; undefined where the coordinator has none. */
  outputs(taskIndex: number): Promise<readonly Tensor[] | undefined>
}

export async function openTasks(deps: OpenTasksDeps, jobId: bigint, signal?: AbortSignal): Promise<OpenTasks> {
  const { chain, coordinator, deployment, account } = deps
  const { terms, nonce } = await readPostedJob(chain, deployment, jobId)
  if (terms.version !== 1) {
    const message = `a jury, and not the game, judges job ${formatJobId(jobId)}: its terms are of version ${terms.version}`
    throw clientError("E_DISPUTE_VERSION", message)
  }
  if (!isAddressEqual(terms.requester, account.address)) {
    const message = `inputs and salts of job ${formatJobId(jobId)} are its requester's (${terms.requester}): run this with that key`
    throw clientError("E_NO_ACCESS", message)
  }
  const jobSalt = await deriveJobSalt(account, deployment, nonce)
  const { spec } = await coordinator.get(`/v1/jobs/${formatJobId(jobId)}`, JobViewSchema, { signal })
  const shards = new Map<number, Map<string, Tensor>>()
  return {
    jobId,
    terms,
    program: await coordinator.getArtifact(spec.model.sha256, { signal }),
    salt: (taskIndex) => taskSalt(jobSalt, taskIndex),
    async inputs(taskIndex) {
      const shard = Math.floor(taskIndex / terms.shardSize)
      const known = shards.get(shard) ?? (await readShard(coordinator, { spec, terms, shard, signal }))
      shards.set(shard, known)
      return spec.model.inputs.map(({ name }) => known.get(bundleName(taskIndex, name))!)
    },
    async outputs(taskIndex) {
      const results = await fetchResults(coordinator, { jobId, signal })
      const found = results.find(({ index }) => index === taskIndex)
      return found && Object.values(found.outputs)
    },
  }
}

type ReadShardParams = { spec: Spec; terms: Terms; shard: number; signal: AbortSignal | undefined }

async function readShard(coordinator: Coordinator, { spec, terms, shard, signal }: ReadShardParams) {
  const { first, count } = shardTasks(terms, shard)
  const bundle = decodeBundle(await coordinator.getArtifact(spec.shards[shard]!.inputs, { signal }))
  const tensors = new Map(bundle.map(({ name, tensor }) => [name, tensor]))
  for (let task = first; task < first + count; task++) {
    for (const { name } of spec.model.inputs) {
      if (tensors.has(bundleName(task, name))) continue
      throw clientError("E_INPUT_MISMATCH", `the inputs of shard ${shard} lack '${name}' of task ${task}`)
    }
  }
  return tensors
}
