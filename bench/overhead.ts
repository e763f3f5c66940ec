import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node"
import { zeroAddress, zeroHash } from "viem"
import { encodeBundle, exactProfile, sessionOptions } from "#engine"
import { type ComputedShard, computeShard } from "../worker/leases/computeShard.ts"
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
  const layers = await layersFor(TASK_MS)
  return [
    await measure({ name: "overhead, 64 kB in and out", layers, rows: SMALL_ROWS, tasks: 16, goal: 0.95 }),
    await measure({ name: "overhead, 2 MB in and out", layers, rows: 512, tasks: 2, goal: undefined }),
  ]
}

/** How long a small task shall take on one core; machines differ twofold, so the layers are counted out at the start. */
const TASK_MS = 15
const PROBE_LAYERS = 8
const ROUNDS = 5
/** A worker's day has no first and no last shard: enough of them that both ends hardly count. */
const SHARDS = 12

const SMALL_ROWS = 16

/** Layers of 1,024 x 1,024 float32 that make a task of so many milliseconds here. */
async function layersFor(ms: number): Promise<number> {
  const work = await createWorkload({ layers: PROBE_LAYERS, rows: SMALL_ROWS, shards: 1, tasks: 32 })
  try {
    const session = await InferenceSession.create(work.bytes, sessionOptions(exactProfile()))
    await bareLoop(session, work.shards)
    const perLayer = (await timed(() => bareLoop(session, work.shards))) / 32 / PROBE_LAYERS
    return Math.max(1, Math.round(ms / perLayer))
  } finally {
    await work.close()
  }
}

type Case = { name: string; layers: number; rows: number; tasks: number; goal: number | undefined }

async function measure({ name, layers, rows, tasks, goal }: Case): Promise<Figure> {
  const work = await createWorkload({ layers, rows, shards: SHARDS, tasks })
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
    const computed = await computeShard({ backend, hasher }, prepared, never)
    finishing.push(finish(computed, lease.count))
  }
  await Promise.all(finishing)

  async function finish({ leaves, outputs }: ComputedShard, shardSize: number): Promise<void> {
    encodeBundle(outputs)
    const full = (await leaves).map(({ digestPart: _, ...leaf }) => ({ ...leaf, worker: zeroAddress }))
    await hasher.run("shardRoot", { jobId: 0n, shardSize, leaves: full })
  }
}

async function bareLoop(session: InferenceSession, shards: readonly BenchShard[]): Promise<void> {
  for (const { inputs } of shards) {
    for (const { data, dims } of inputs) {
      const floats = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4)
      await session.run({ x: new OrtTensor("float32", floats, [...dims]) })
    }
  }
}
