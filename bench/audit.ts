import { zeroAddress } from "viem"
import { sampleCount } from "#protocol"
import { readInputs } from "../worker/leases/readInputs.ts"
import { type Figure, median, timed } from "./figure.ts"
import { createWorkload, type Workload } from "./workload.ts"

/**
 * What auditing costs as a share of the work that it audits: the drawn tasks computed again by a verifier, with its
 * keyed digest (R21), against all tasks of the batch computed by their worker, in one run. The floor is k / N.
 */
export async function audit(): Promise<Figure[]> {
  const work = await createWorkload({ layers: LAYERS, rows: 16, shards: 1, tasks: TASKS })
  try {
    await runTasks(work, TASKS, "output")
    const figures: Figure[] = []
    for (const rate of [100, 500, 2000]) {
      const samples = sampleCount(rate, TASKS)
      const shares: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const worked = await timed(() => runTasks(work, TASKS, "output"))
        shares.push((await timed(() => runTasks(work, samples, "verdict"))) / worked)
      }
      const value = median(shares)
      const floor = samples / TASKS
      figures.push({
        name: `audit at ${rate / 100} %`,
        value,
        unit: "of the batch's compute",
        against: `k / N = ${samples} / ${TASKS}`,
        ratio: value / floor,
      })
    }
    return figures
  } finally {
    await work.close()
  }
}

const LAYERS = 24
const TASKS = 100
const ROUNDS = 3

async function runTasks({ backend, hasher, model, shards }: Workload, count: number, kind: "output" | "verdict") {
  const { bundle, lease } = shards[0]!
  const ports = model.inputs.map((port) => ({ ...port, dims: [...port.dims] }))
  const tasks = lease.salts
    .slice(0, count)
    .map((salt, index) => ({ index, salt, inputCommitment: lease.inputCommitments[index]! }))
  const read = await readInputs({ hasher }, { bundle, ports, tasks })
  const hashing: Promise<unknown>[] = []
  for await (const { index, outputs, digest } of backend.runShard(model, read, {
    signal: new AbortController().signal,
  })) {
    const salt = lease.salts[index]!
    const result = { outputs, digests: digest }
    const key = { verifier: zeroAddress, batchId: 0n, position: index }
    hashing.push(
      kind === "output" ? hasher.run("output", { salt, result }) : hasher.run("verdict", { salt, result, key }),
    )
  }
  await Promise.all(hashing)
}
