import { readFile } from "node:fs/promises"
import type { Hex } from "viem"
import { createFeed, decodeNpz, type Feed, isFedName, MODEL_LIMITS, readModelInterface } from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"
import { clientError } from "../errors.ts"

/** A run's data, in files of as many samples each. */
export type RunData = {
  readonly shards: readonly DataShard[]
  /** Of each shard. */
  readonly samples: number
  readonly batch: number
  /** Of the order of samples. */
  readonly seed: number
}
export type DataShard = { readonly path: string; readonly sha256: Hex }

/** So many shards stay in memory: the slots of a round are in different ones. */
const KEPT = 8

/** @throws E_DATA_SHARD where a shard is missing or altered when its samples are needed */
export function feedOf({ shards, samples, batch, seed }: RunData, fed: FedInputs): Feed {
  const kept = new Map<number, Promise<Columns>>()
  const read = (shard: number) => {
    const columns = kept.get(shard) ?? readShard(shards[shard]!)
    // The one that was used longest ago comes first.
    kept.delete(shard)
    kept.set(shard, columns)
    for (const oldest of [...kept.keys()].slice(0, -KEPT)) kept.delete(oldest)
    columns.catch(() => kept.delete(shard))
    return columns
  }
  return createFeed({ shards: shards.length, samples, seed, read }, { fed, batch })
}

type Columns = Readonly<Record<string, Tensor>>
type FedInputs = Parameters<typeof createFeed>[1]["fed"]

/** A round program's inputs that are data. */
export function fedInputs(program: Uint8Array): FedInputs {
  return readModelInterface(program).inputs.filter(({ name }) => isFedName(name))
}

/** @throws E_DATA_SHARD */
async function readShard({ path, sha256: hash }: DataShard): Promise<Columns> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw clientError("E_DATA_SHARD", `there is no shard of the data at ${path}: give it back, and go on`, { cause })
  })
  if (hexOf(sha256(bytes)) !== hash) {
    throw clientError("E_DATA_SHARD", `${path} is not the shard that the run began with: give it back, and go on`)
  }
  return Object.fromEntries(decodeNpz(bytes, MODEL_LIMITS.fileBytes))
}
