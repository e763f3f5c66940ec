import type { Address, Hex } from "viem"
import { arrangeInputs, encodeBundle, type PreparedModel } from "#engine"
import {
  bundleName,
  capabilityOf,
  hexOf,
  inputCommitment,
  inputsRoot,
  JOB_CLASSES,
  JOB_KINDS,
  type MemoryTier,
  type Spec,
  sha256,
  shardCount,
  shardTasks,
  specHash,
  TERMS_VERSION,
  type Tensor,
  type Terms,
  taskSalt,
} from "#protocol"
import { clientError } from "../errors.ts"
import type { Price } from "./price.ts"

export type PlanJobParams = {
  readonly model: PreparedModel
  /** One entry a task. */
  readonly tasks: readonly TaskInputs[]
  readonly requester: Address
  readonly coordinator: Address
  readonly shardSize: number
  readonly memoryGiB: MemoryTier
  readonly price: Price
  /** Chain time in seconds. */
  readonly deadline: bigint
  /** The requester's secret (R6): whoever has it can guess inputs and outputs from their hashes. */
  readonly jobSalt: Hex
  readonly title?: string
  readonly isPublic?: boolean
  /** Tensors that results will repeat: the job's workers may read them, and send the rest alone. */
  readonly expected?: readonly Tensor[]
}

/** Tensors by input name, or in the model's order. */
export type TaskInputs = readonly Tensor[] | Readonly<Record<string, Tensor>>

export type JobPlan = {
  readonly terms: Terms
  readonly spec: Spec
  readonly jobSalt: Hex
  /** Everything the coordinator must hold before the job is posted, by hash: the model, and a bundle a shard. */
  readonly artifacts: ReadonlyMap<Hex, Uint8Array>
  /** The one of them that holds what results will repeat. */
  readonly expected?: Hex
}

/** Everything of a job that can be computed without asking anybody: commitments, spec, terms. Spends nothing. */
export function planJob(params: PlanJobParams): JobPlan {
  const { tasks, shardSize, jobSalt, price } = params
  if (tasks.length === 0) throw clientError("E_JOB_EMPTY", "a job needs at least one task: give an input")
  const { inputs, outputs, digestTensors, sha256: modelSha256, bytes: model } = params.model
  const { ordered, commitments } = commitTasks(params)

  const artifacts = new Map<Hex, Uint8Array>([[modelSha256, model]])
  const plan = { tasks: tasks.length, shardSize }
  const shards = Array.from({ length: shardCount(plan) }, (_, shard) => {
    const { first, count } = shardTasks(plan, shard)
    const entries = ordered
      .slice(first, first + count)
      .flatMap((tensors, i) => tensors.map((tensor, j) => ({ name: bundleName(first + i, inputs[j]!.name), tensor })))
    const bytes = encodeBundle(entries)
    const hash = hexOf(sha256(bytes))
    artifacts.set(hash, bytes)
    return { inputs: hash, bytes: bytes.byteLength }
  })

  const expected = params.expected && bundleOf(params.expected)
  if (expected) artifacts.set(expected.sha256, expected.bytes)

  const capability = { profile: "exact-cpu-1", memoryGiB: params.memoryGiB } as const
  const spec: Spec = {
    version: 0,
    ...(params.title === undefined ? {} : { title: params.title }),
    ...(params.isPublic ? { public: true as const } : {}),
    model: {
      sha256: modelSha256,
      bytes: model.byteLength,
      inputs: inputs.map(asPort),
      outputs: outputs.map(asPort),
      digestTensors: [...digestTensors],
    },
    capability,
    shards,
  }
  const terms: Terms = {
    version: TERMS_VERSION,
    kind: JOB_KINDS.batch,
    requester: params.requester,
    coordinator: params.coordinator,
    class: JOB_CLASSES.exact,
    capability: capabilityOf(capability.profile, capability.memoryGiB),
    programRoot: params.model.programRoot,
    inputs: inputsRoot(commitments),
    tasks: tasks.length,
    shardSize,
    maxUnits: 1,
    ...price,
    deadline: params.deadline,
    specHash: specHash(spec),
  }
  return { terms, spec, jobSalt, artifacts, ...(expected ? { expected: expected.sha256 } : {}) }
}

function bundleOf(tensors: readonly Tensor[]): { sha256: Hex; bytes: Uint8Array } {
  const bytes = encodeBundle(tensors.map((tensor, i) => ({ name: `${i}`, tensor })))
  return { sha256: hexOf(sha256(bytes)), bytes }
}

/** Each task's tensors in the model's order, and what commits to them (R6). */
export function commitTasks({ tasks, model, jobSalt }: Pick<PlanJobParams, "tasks" | "model" | "jobSalt">) {
  const ordered = tasks.map((task) => arrangeInputs(byName(task, model.inputs), model.inputs))
  return { ordered, commitments: ordered.map((tensors, index) => inputCommitment(taskSalt(jobSalt, index), tensors)) }
}

function byName(task: TaskInputs, inputs: PreparedModel["inputs"]): Map<string, Tensor> {
  if (!Array.isArray(task)) return new Map(Object.entries(task))
  if (task.length <= inputs.length) return new Map(task.map((tensor, i) => [inputs[i]!.name, tensor]))
  throw clientError("E_INPUT_NAME", `a task has ${task.length} tensors, and the model takes ${inputs.length}`)
}

function asPort({
  name,
  dtype,
  dims,
}: {
  name: string
  dtype: Spec["model"]["inputs"][number]["dtype"]
  dims: readonly number[]
}) {
  return { name, dtype, dims: [...dims] }
}
