import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type Backend,
  createRunner,
  createRunnerBackend,
  encodeBundle,
  exactProfile,
  type ModelArtifact,
  modelArtifact,
  writeModel,
} from "#engine"
import { bundleName, inputCommitment, type LeaseBundle, type Tensor, taskSalt } from "#protocol"
import { createHasher, type Hasher } from "../worker/hashing/hasher.ts"
import { xorshift } from "./xorshift.ts"

/** A model of dense layers and shards of tasks for it, with what a worker computes them with. */
export type Workload = {
  readonly bytes: Uint8Array
  readonly model: ModelArtifact
  readonly shards: readonly BenchShard[]
  readonly backend: Backend
  readonly hasher: Hasher
  close(): Promise<void>
}

export type BenchShard = { bundle: Uint8Array; lease: LeaseBundle; inputs: Tensor[] }

const WIDTH = 1024
const JOB_SALT = `0x${"5a".repeat(32)}` as const

export type WorkloadParams = { layers: number; rows: number; shards: number; tasks: number }

export async function createWorkload({ layers, rows, shards, tasks }: WorkloadParams): Promise<Workload> {
  const dir = await mkdtemp(join(tmpdir(), "assay-bench-"))
  const runner = createRunner({ profile: exactProfile() })
  const hasher = createHasher()
  const bytes = denseModel(layers, rows)
  const path = join(dir, "model.onnx")
  await writeFile(path, bytes)
  const model = modelArtifact(bytes, path)
  const backend = createRunnerBackend(runner)
  await backend.prepare(model)
  return {
    bytes,
    model,
    shards: Array.from({ length: shards }, (_, i) => makeShard({ model, rows, first: i * tasks, count: tasks })),
    backend,
    hasher,
    async close() {
      await runner.close()
      await hasher.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function makeShard({
  model,
  rows,
  first,
  count,
}: {
  model: ModelArtifact
  rows: number
  first: number
  count: number
}): BenchShard {
  const inputs = Array.from({ length: count }, (_, i) => noise([rows, WIDTH], first + i + 1))
  const salts = inputs.map((_, i) => taskSalt(JOB_SALT, first + i))
  const name = model.inputs[0]!.name
  const bundle = encodeBundle(inputs.map((tensor, i) => ({ name: bundleName(first + i, name), tensor })))
  const lease = {
    firstTask: first,
    count,
    salts,
    inputCommitments: inputs.map((tensor, i) => inputCommitment(salts[i]!, [tensor])),
    terms: { maxUnits: 1 },
  } as unknown as LeaseBundle
  return { bundle, lease, inputs }
}

function denseModel(layers: number, rows: number): Uint8Array {
  const names = ["x", ...Array.from({ length: layers - 1 }, (_, i) => `h${i}`), "y"]
  return writeModel({
    name: "dense",
    inputs: [{ name: "x", dtype: "float32", dims: [rows, WIDTH] }],
    outputs: [{ name: "y", dtype: "float32", dims: [rows, WIDTH] }],
    initializers: Object.fromEntries(
      Array.from({ length: layers }, (_, i) => [`w${i}`, noise([WIDTH, WIDTH], 1000 + i)]),
    ),
    nodes: Array.from({ length: layers }, (_, i) => ({
      op: "MatMul",
      inputs: [names[i]!, `w${i}`],
      outputs: [names[i + 1]!],
    })),
  })
}

/** Small numbers of a fixed sequence: timing does not depend on them, runs should not differ by them. */
function noise(dims: number[], seed: number): Tensor {
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1))
  const next = xorshift(seed)
  for (let i = 0; i < values.length; i++) {
    values[i] = (next() / 2 ** 31) * 0.05
  }
  return { dtype: "float32", dims, data: new Uint8Array(values.buffer) }
}
