import { createHash } from "node:crypto"
import { type Tensor, tensorRoot } from "#protocol"
import { type Figure, median, timed } from "./figure.ts"

/**
 * What committing to tensors costs: bytes a second of R6's tree beside one plain SHA-256 over the same bytes (the limit
 * that native code sets), and the share of a task's time that its own hashing is. The worker hashes on another thread;
 * the share counts it as if it did not.
 */
export async function commit(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kib of [16, 64, 1_024, 16_384]) figures.push(await throughput(kib * 1024))
  figures.push(await share())
  return figures
}

const ROUNDS = 9
const BYTES_A_ROUND = 32 * 1024 ** 2
const TASK = { ms: 15, bytes: 128 * 1024, goal: 0.03 }

async function throughput(bytes: number): Promise<Figure> {
  const tensor = noise(bytes)
  const repeats = Math.max(1, Math.floor(BYTES_A_ROUND / bytes))
  const tree: number[] = []
  const plain: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    tree.push(await timed(async () => repeat(repeats, () => tensorRoot(tensor))))
    plain.push(await timed(async () => repeat(repeats, () => createHash("sha256").update(tensor.data).digest())))
  }
  const rate = (ms: number) => (bytes * repeats) / 1000 / ms
  const value = rate(median(tree))
  const limit = rate(median(plain))
  return {
    name: `commit, a tensor of ${bytes / 1024} KiB`,
    value,
    unit: "MB/s",
    against: `one SHA-256 over it, ${Math.round(limit)} MB/s`,
    ratio: value / limit,
  }
}

/** 64 kB of input checked and 64 kB of output committed to, of a task of 15 ms. */
async function share(): Promise<Figure> {
  const tensor = noise(TASK.bytes / 2)
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    times.push((await timed(async () => repeat(100, () => [tensorRoot(tensor), tensorRoot(tensor)]))) / 100)
  }
  const value = median(times) / TASK.ms
  return {
    name: "commit, share of a task of 15 ms, 64 kB in and out",
    value,
    unit: "of the task's time",
    against: `goal at most ${TASK.goal}`,
    ratio: value / TASK.goal,
  }
}

function repeat(times: number, run: () => unknown): void {
  for (let i = 0; i < times; i++) run()
}

function noise(bytes: number): Tensor {
  const data = new Uint8Array(bytes)
  for (let i = 0, state = 1; i < bytes; i++) {
    state = (state * 1_103_515_245 + 12_345) >>> 0
    data[i] = state >>> 24
  }
  return { dtype: "uint8", dims: [bytes], data }
}
