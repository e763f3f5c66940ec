import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { Address, Hex } from "viem"
import { bundleName, decodeBundle } from "#engine/tensor/bundle.ts"
import {
  buildShardTree,
  inputCommitment,
  isCodedError,
  joinOutput,
  outputPart,
  type Port,
  shardCount,
  shardTasks,
  type Tensor,
  taskSalt,
  type WireLeaf,
} from "#protocol"
import { corrupt } from "../artifacts/artifactErrors.ts"
import { refuse } from "../errors.ts"
import { encodeInputTree } from "../jobs/inputTree.ts"

// What runs on the hashing thread: pure over its arguments and the files that they name.

export type StoredFile = { sha256: Hex; path: string; bytes: number }

export type CheckInputsParams = {
  jobSalt: Hex
  tasks: number
  shardSize: number
  ports: readonly Port[]
  /** One bundle a shard. */
  bundles: readonly StoredFile[]
}
export type CheckInputsResult = { root: Hex; tree: Uint8Array }

/** Reads every bundle of a job, holds it to the model's inputs, and builds the tree behind `terms.inputs` (R1, R6). */
export async function checkInputs(params: CheckInputsParams): Promise<CheckInputsResult> {
  const { jobSalt, ports, bundles } = params
  const commitments: Hex[] = []
  for (let shard = 0; shard < shardCount(params); shard++) {
    const { first, count } = shardTasks(params, shard)
    await because("E_JOB_INPUTS", `the inputs of shard ${shard}`, async () => {
      const tensors = await readBundle(bundles[shard]!)
      for (let taskIndex = first; taskIndex < first + count; taskIndex++) {
        const inputs = tensorsOfTask({ tensors, ports, taskIndex })
        commitments.push(inputCommitment(taskSalt(jobSalt, taskIndex), inputs))
      }
      noneLeft(tensors)
    })
  }
  const { root, bytes } = encodeInputTree(commitments)
  return { root, tree: bytes }
}

export type CheckReceiptParams = {
  jobId: bigint
  worker: Address
  jobSalt: Hex
  shardSize: number
  first: number
  count: number
  maxUnits: number
  ports: readonly Port[]
  inputCommitments: readonly Hex[]
  leaves: readonly WireLeaf[]
  outputs: StoredFile
  shardRoot: Hex
  units: number
}

/** Holds a receipt to its leaves, and the leaves to the inputs of the job and to the outputs that came with it. */
export async function checkReceipt(params: CheckReceiptParams): Promise<void> {
  const { jobId, worker, jobSalt, shardSize, first, count, leaves, inputCommitments, ports } = params
  if (leaves.length !== count) {
    throw refuse("E_RECEIPT_LEAVES", `the shard has ${count} tasks, the receipt ${leaves.length} leaves`)
  }
  leaves.forEach((leaf, i) => {
    if (leaf.taskIndex !== first + i) {
      throw refuse("E_RECEIPT_LEAVES", `leaf ${i} is of task ${leaf.taskIndex} where task ${first + i} was due`)
    }
    if (leaf.units < 1 || leaf.units > params.maxUnits) {
      throw refuse(
        "E_RECEIPT_UNITS",
        `task ${leaf.taskIndex} counts ${leaf.units} units; the terms allow 1 to ${params.maxUnits}`,
      )
    }
    if (leaf.inputCommitment !== inputCommitments[i]) {
      throw refuse("E_RECEIPT_LEAVES", `the leaf of task ${leaf.taskIndex} has another input than the job (R1)`)
    }
  })
  const { root } = buildShardTree({ jobId, shardSize, leaves: leaves.map((leaf) => ({ ...leaf, worker })) })
  if (root.hash !== params.shardRoot) {
    throw refuse("E_RECEIPT_ROOT", "the receipt's shard root is not that of its leaves", { expected: root.hash })
  }
  if (root.units !== BigInt(params.units)) {
    throw refuse("E_RECEIPT_UNITS", `the receipt says ${params.units} units, its leaves make ${root.units}`)
  }
  await because("E_RECEIPT_OUTPUTS", "the outputs", async () => {
    const tensors = await readBundle(params.outputs)
    for (const leaf of leaves) {
      const outputs = tensorsOfTask({ tensors, ports, taskIndex: leaf.taskIndex })
      const part = outputPart(taskSalt(jobSalt, leaf.taskIndex), outputs)
      if (joinOutput(part, leaf.digestPart) !== leaf.outputCommitment) {
        throw refuse("E_RECEIPT_OUTPUTS", `those of task ${leaf.taskIndex} do not make the commitment of its leaf`)
      }
    }
    noneLeft(tensors)
  })
}

/** Says in the words of the HTTP table what was wrong with a bundle; the first cause stays in the details. */
async function because(code: string, what: string, check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (error) {
    if (!isCodedError(error) || error.code === "E_ARTIFACT_CORRUPT") throw error
    const { details } = error.detail as { details?: Record<string, unknown> }
    throw refuse(code, `${what}: ${error.message}`, { ...details, reason: error.code }, error)
  }
}

async function readBundle({ sha256, path, bytes }: StoredFile): Promise<Map<string, Tensor>> {
  const file = await readFile(path)
  if (file.byteLength !== bytes || `0x${createHash("sha256").update(file).digest("hex")}` !== sha256) {
    throw corrupt(sha256)
  }
  const tensors = new Map<string, Tensor>()
  for (const { name, tensor } of decodeBundle(file)) {
    if (tensors.has(name)) throw refuse("E_BUNDLE_FORMAT", `the bundle ${sha256} names "${printable(name)}" twice`)
    tensors.set(name, tensor)
  }
  return tensors
}

type TensorsOfTask = { tensors: Map<string, Tensor>; ports: readonly Port[]; taskIndex: number }

/** The tensors of one task in model order, taken out of the bundle. */
function tensorsOfTask({ tensors, ports, taskIndex }: TensorsOfTask): Tensor[] {
  return ports.map((port) => {
    const name = bundleName(taskIndex, port.name)
    const tensor = tensors.get(name)
    const what = `task ${taskIndex}: "${printable(port.name)}"`
    if (!tensor) throw refuse("E_INPUT_MISSING", `${what} is missing`, { taskIndex })
    if (tensor.dtype !== port.dtype) {
      throw refuse("E_INPUT_DTYPE", `${what} is ${tensor.dtype}; the model has ${port.dtype}`, { taskIndex })
    }
    if (tensor.dims.length !== port.dims.length || tensor.dims.some((dim, i) => dim !== port.dims[i])) {
      const message = `${what} has shape [${tensor.dims}]; the model has [${port.dims}]`
      throw refuse("E_INPUT_SHAPE", message, { taskIndex })
    }
    tensors.delete(name)
    return tensor
  })
}

function noneLeft(tensors: Map<string, Tensor>): void {
  const [stranger] = tensors.keys()
  if (stranger === undefined) return
  throw refuse("E_INPUT_NAME", `"${printable(stranger)}" belongs to no task of it or no tensor of the model`)
}

/** Names come from peers: what goes into a message is short and has no control characters. */
function printable(name: string): string {
  return name.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?").slice(0, 100)
}
