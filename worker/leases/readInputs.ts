import type { Hex } from "viem"
import { bundleName, decodeBundle, type ShardTask } from "#engine"
import type { Port, Tensor } from "#protocol"
import { workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"

export type ReadInputsParams = {
  bundle: Uint8Array
  /** The model's inputs, in order. */
  ports: readonly Port[]
  tasks: readonly { index: number; salt: Hex; inputCommitment: Hex }[]
}

/**
 * The tasks of a bundle that a peer sent, each held against its input commitment (R1): a worker that computes on other
 * inputs signs a wrong leaf, and a verifier accuses an honest one.
 */
export async function readInputs(
  { hasher }: { hasher: Hasher },
  { bundle, ports, tasks }: ReadInputsParams,
): Promise<ShardTask[]> {
  const tensors = new Map(decodeBundle(bundle).map(({ name, tensor }) => [name, tensor]))
  const read = tasks.map(({ index, salt }) => ({
    index,
    salt,
    inputs: ports.map((port) => pick(tensors, index, port)),
  }))
  const commitments = await hasher.run(
    "inputCommitments",
    read.map(({ salt, inputs }) => ({ salt, inputs })),
  )
  for (const [i, { index, inputCommitment }] of tasks.entries()) {
    if (commitments[i] !== inputCommitment) {
      throw workerError("E_LEASE_INPUT", `the input of task ${index} is not the one that the job committed to (R1)`)
    }
  }
  return read.map(({ index, inputs }) => ({ index, inputs }))
}

function pick(tensors: Map<string, Tensor>, index: number, { name, dtype, dims }: Port): Tensor {
  const tensor = tensors.get(bundleName(index, name))
  if (!tensor) throw workerError("E_LEASE_INPUT", `the bundle lacks input "${name}" of task ${index}`)
  if (tensor.dtype !== dtype || tensor.dims.length !== dims.length || tensor.dims.some((dim, i) => dim !== dims[i])) {
    throw workerError(
      "E_LEASE_INPUT",
      `input "${name}" of task ${index} is ${tensor.dtype}[${tensor.dims}], the model takes ${dtype}[${dims}]`,
    )
  }
  return tensor
}
