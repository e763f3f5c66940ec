import type { Address, Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { bundleName, createRunner, encodeBundle, prepareModel } from "#engine"
import {
  buildInputTree,
  capabilityOf,
  inputCommitment,
  type LeaseBundle,
  marketDomain,
  type Signer,
  type Spec,
  shardCount,
  shardTasks,
  signMessage,
  specHash,
  TERMS_VERSION,
  type Tensor,
  type Terms,
  taskSalt,
  treeMultiproof,
} from "#protocol"
import { sha256Of } from "../../../worker/artifacts/cache.ts"
import { classifier, ramp } from "../../engine/support/graphs.ts"

const key = (fill: string): Hex => `0x${fill.repeat(32)}`
export const WORKER = privateKeyToAccount(key("a1"))
export const SESSION = privateKeyToAccount(key("a2"))
export const COORDINATOR = privateKeyToAccount(key("b1"))
export const COORDINATOR_SESSION = privateKeyToAccount(key("b2"))
export const STRANGER = privateKeyToAccount(key("c1"))
export const lower = (address: Address) => address.toLowerCase() as Address

export const MARKET: Address = `0x${"44".repeat(20)}`
export const DOMAIN = marketDomain({ chainId: 31_337, market: MARKET })
export const CAPABILITY = capabilityOf("exact-cpu-1", 2)
export const JOB_ID = 77n
export const JOB_SALT: Hex = key("5a")
export const NOW = 1_800_000_000n

export type TestJob = {
  terms: Terms
  spec: Spec
  model: Uint8Array
  inputs: Tensor[]
  commitments: Hex[]
  /** The bundle of inputs of each shard. */
  bundles: Uint8Array[]
  lease(shard: number, change?: Partial<LeaseBundle["lease"]>): Promise<LeaseBundle>
}

/** A small classifier over `tasks` distinct inputs, as a requester would post it. */
export async function buildJob({ tasks = 6, shardSize = 4 } = {}): Promise<TestJob> {
  const runner = createRunner()
  const prepared = await prepareModel({ runner }, classifier())
  await runner.close()
  const inputs = Array.from({ length: tasks }, (_, i) => {
    const { data, ...shape } = ramp([1, 4])
    const values = new Float32Array(data.slice().buffer)
    values[0] = i + 1
    return { ...shape, data: new Uint8Array(values.buffer) }
  })
  const commitments = inputs.map((input, i) => inputCommitment(taskSalt(JOB_SALT, i), [input]))
  const plan = { tasks, shardSize }
  const bundles = Array.from({ length: shardCount(plan) }, (_, shard) => {
    const { first, count } = shardTasks(plan, shard)
    const indexes = Array.from({ length: count }, (_, i) => first + i)
    return encodeBundle(indexes.map((i) => ({ name: bundleName(i, "x"), tensor: inputs[i]! })))
  })
  const ports = (list: readonly { name: string; dtype: Tensor["dtype"]; dims: readonly number[] }[]) =>
    list.map(({ name, dtype, dims }) => ({ name, dtype, dims: [...dims] }))
  const spec: Spec = {
    version: 0,
    model: {
      sha256: sha256Of(prepared.bytes),
      bytes: prepared.bytes.byteLength,
      inputs: ports(prepared.inputs),
      outputs: ports(prepared.outputs),
      digestTensors: [...prepared.digestTensors],
    },
    capability: { profile: "exact-cpu-1", memoryGiB: 2 },
    shards: bundles.map((bytes) => ({ inputs: sha256Of(bytes), bytes: bytes.byteLength })),
  }
  const terms: Terms = {
    version: TERMS_VERSION,
    kind: 0,
    requester: lower(STRANGER.address),
    coordinator: lower(COORDINATOR.address),
    class: 0,
    capability: CAPABILITY,
    programRoot: prepared.programRoot,
    inputs: buildInputTree(commitments).root,
    tasks,
    shardSize,
    fee: 10n ** 18n,
    maxUnits: 1,
    auditRate: 2000,
    auditRatio: 10_000,
    auditBase: 10n ** 15n,
    auditBudget: 10n ** 21n,
    coordinatorFee: 10n ** 16n,
    valueAtRisk: 0n,
    deadline: NOW + 3600n,
    specHash: specHash(spec),
  }
  const lease: TestJob["lease"] = async (shard, change = {}) => {
    const { first, count } = shardTasks(plan, shard)
    const indexes = Array.from({ length: count }, (_, i) => first + i)
    const signed = { jobId: JOB_ID, shard, worker: lower(WORKER.address), start: NOW, expiry: NOW + 60n, ...change }
    return {
      lease: signed,
      signature: await signLease(COORDINATOR_SESSION, signed),
      terms,
      spec,
      firstTask: first,
      count,
      salts: indexes.map((i) => taskSalt(JOB_SALT, i)),
      inputCommitments: indexes.map((i) => commitments[i]!),
      inputProof: treeMultiproof(buildInputTree(commitments), indexes),
      inputs: spec.shards[shard]!.inputs,
      serverTime: Number(NOW),
    }
  }
  return { terms, spec, model: prepared.bytes, inputs, commitments, bundles, lease }
}

export function signLease(signer: Signer, lease: LeaseBundle["lease"]): Promise<Hex> {
  return signMessage(signer, { domain: DOMAIN, type: "Lease", message: lease })
}
