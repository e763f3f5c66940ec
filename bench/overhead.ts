import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node"
import { zeroAddress, zeroHash } from "viem"
import { encodeBundle, exactProfile, sessionOptions } from "#engine"
import { computeShard } from "../worker/leases/computeShard.ts"
import type { PreparedLease } from "../worker/leases/prepareLease.ts"
import { readInputs } from "../worker/leases/readInputs.ts"
import { type Figure, median, timed } from "./figure.ts"
import { type BenchShard, createWorkload, type Workload } from "./workload.ts"

/**
 * What proving costs an honest worker: shards of tasks through a worker's own stages (inputs decoded and held against
 * their commitments, run in the watched child process, results committed to, bundle and shard root made) against the
 * same calls to onnxruntime in a bare loop, same session options, one thread, interleaved in one run.
 */
export async function overhead(): Promise<Figure[]> {
  return [
    await measure({ name: "overhead, 64 kB in and out", rows: 16, tasks: 16, goal: 0.95 }),
    await measure({ name: "overhead, 2 MB in and out", rows: 512, tasks: 4, goal: undefined }),
  ]
}

/** Of 1024 x 1024 float32: about 15 ms for 16 rows on one core. */
const LAYERS = 24
const ROUNDS = 5
const SHARDS = 4

type Case = { name: string; rows: number; tasks: number; goal: number | undefined }

async function measure({ name, rows, tasks, goal }: Case): Promise<Figure> {
  const work = await createWorkload({ layers: LAYERS, rows, shards: SHARDS, tasks })
  try {
    const session = await InferenceSession.create(work.bytes, sessionOptions(exactProfile()))
    const worker = () => throughWorker(work)
    const bare = () => bareLoop(session, work.shards)
    await worker()
    await bare()
    const ratios: number[] = []
    const taskMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const [workerMs, bareMs] = await timeBoth(round, worker, bare)
      ratios.push(bareMs / workerMs)
      taskMs.push(bareMs / (SHARDS * tasks))
    }
    const against = `bare onnxruntime loop, ${median(taskMs).toFixed(1)} ms a task${goal === undefined ? "" : `; goal ${goal}`}`
    const value = median(ratios)
    return { name, value, unit: "of the bare loop's speed", against, ratio: goal === undefined ? null : value / goal }
  } finally {
    await work.close()
  }
}

/** Whoever goes first meets the colder machine, so they take turns. */
async function timeBoth(round: number, a: () => Promise<void>, b: () => Promise<void>): Promise<[number, number]> {
  if (round % 2 === 0) return [await timed(a), await timed(b)]
  const last = await timed(b)
  return [await timed(a), last]
}

/** The next shard is read and checked while this one is computed, as in the worker's pipeline. */
async function throughWorker({ backend, hasher, model, shards }: Workload): Promise<void> {
  const prepare = async ({ bundle, lease }: BenchShard): Promise<PreparedLease> => {
    const tasks = lease.salts.map((salt, i) => ({
      index: lease.firstTask + i,
      salt,
      inputCommitment: lease.inputCommitments[i]!,
    }))
    const ports = model.inputs.map((port) => ({ ...port, dims: [...port.dims] }))
    const read = await readInputs({ hasher }, { bundle, ports, tasks })
    return { leaseHash: zeroHash, record: { state: "leased", bundle: lease, changedAt: 0 }, model, tasks: read }
  }
  const never = new AbortController().signal
  let next = prepare(shards[0]!)
  const finishing: Promise<unknown>[] = []
  for (const [i, { lease }] of shards.entries()) {
    const prepared = await next
    if (shards[i + 1]) next = prepare(shards[i + 1]!)
    const { leaves, outputs } = await computeShard({ backend, hasher }, prepared, never)
    encodeBundle(outputs)
    const full = leaves.map(({ digestPart: _, ...leaf }) => ({ ...leaf, worker: zeroAddress }))
    finishing.push(hasher.run("shardRoot", { jobId: 0n, shardSize: lease.count, leaves: full }))
  }
  await Promise.all(finishing)
}

async function bareLoop(session: InferenceSession, shards: readonly BenchShard[]): Promise<void> {
  for (const { inputs } of shards) {
    for (const { data, dims } of inputs) {
      const floats = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4)
      await session.run({ x: new OrtTensor("float32", floats, [...dims]) })
    }
  }
}
