import { type Hex, isAddressEqual, type LocalAccount, type PublicClient } from "viem"
import { decodeBundle } from "#engine"
import {
  bundleName,
  type Deployment,
  formatJobId,
  JobViewSchema,
  type Spec,
  shardTasks,
  TaskSaltSchema,
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

/** What recomputing a job's tasks needs, for whoever may see inputs and salts: its requester, or of a public job anyone. */
export type OpenTasks = {
  readonly jobId: bigint
  readonly terms: Terms
  readonly program: Uint8Array
  salt(taskIndex: number): Promise<Hex>
  inputs(taskIndex: number): Promise<Tensor[]>
  /** Outputs as their worker uploaded them; undefined where the coordinator has none for us. */
  outputs(taskIndex: number): Promise<readonly Tensor[] | undefined>
}

export async function openTasks(deps: OpenTasksDeps, jobId: bigint, signal?: AbortSignal): Promise<OpenTasks> {
  const { chain, coordinator, deployment, account } = deps
  const { terms, nonce } = await readPostedJob(chain, deployment, jobId)
  if (terms.version !== 1) {
    const message = `a jury, and not the game, judges job ${formatJobId(jobId)}: its terms are of version ${terms.version}`
    throw clientError("E_DISPUTE_VERSION", message)
  }
  const path = `/v1/jobs/${formatJobId(jobId)}`
  const { spec } = await coordinator.get(path, JobViewSchema, { signal })
  const isOurs = isAddressEqual(terms.requester, account.address)
  if (!isOurs && !spec.public) {
    const message = `inputs and salts of job ${formatJobId(jobId)} are its requester's (${terms.requester}): run this with that key`
    throw clientError("E_NO_ACCESS", message)
  }
  const jobSalt = isOurs ? await deriveJobSalt(account, deployment, nonce) : undefined
  const shards = new Map<number, Map<string, Tensor>>()
  return {
    jobId,
    terms,
    program: await coordinator.getArtifact(spec.model.sha256, { signal }),
    async salt(taskIndex) {
      if (jobSalt) return taskSalt(jobSalt, taskIndex)
      // Whether it is the right one shows: with another the input would not have the commitment that was posted.
      return (await coordinator.get(`${path}/tasks/${taskIndex}/salt`, TaskSaltSchema, { signal })).salt
    },
    async inputs(taskIndex) {
      const shard = Math.floor(taskIndex / terms.shardSize)
      const known = shards.get(shard) ?? (await readShard(coordinator, { spec, terms, shard, signal }))
      shards.set(shard, known)
      return spec.model.inputs.map(({ name }) => known.get(bundleName(taskIndex, name))!)
    },
    async outputs(taskIndex) {
      if (!isOurs) return undefined
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
