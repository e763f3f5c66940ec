import { bytesPerElement, elementCount, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import type { ValueSpec } from "../onnx/writeModel.ts"
import { sameDims } from "../program/values.ts"
import { createSampleOrder, sampleAt } from "./sampleOrder.ts"

/** A data set in parts of as many samples each, so that nobody has to hold all of it. */
export type DataShards = {
  readonly shards: number
  /** Of each shard. */
  readonly samples: number
  /** Of the order in which a stream meets the shards, and the samples in each. */
  readonly seed: number
  /** A shard's columns, (samples, ...) each. */
  read(shard: number): Promise<Columns>
}
type Columns = Readonly<Record<string, Tensor>>

/** Where a stream of data stands: `cursor` steps have been done in it. */
export type StreamPlace = { readonly slot: number; readonly cursor: bigint }
/** The samples of the steps that come next there, in order: a segment's inputs. */
export type Feed = (place: StreamPlace) => Promise<Columns>

const PREFIX = "data."

/** The input of a program that takes a column's samples. */
export const fedName = (column: string): string => `${PREFIX}${column}`
export const isFedName = (input: string): boolean => input.startsWith(PREFIX)

/**
 * Which sample stands at a position of a stream, counted in samples. A stream goes from shard to shard, and through each to
 * its end: the shard is that at (position div samples) in the order of shards, the row that at the position in the order
 * of one shard's samples (`SampleOrder`, both). So every epoch meets every sample once, and one shard is met in the order
 * in which a program meets a data set that is part of it.
 */
export function createShardOrder({ shards, samples, seed }: Omit<DataShards, "read">) {
  const [among, within] = [createSampleOrder(shards, seed), createSampleOrder(samples, seed)]
  return (slot: number, position: bigint): { shard: number; row: number } => ({
    shard: sampleAt(among, BigInt(slot), position / BigInt(samples)),
    row: sampleAt(within, BigInt(slot), position),
  })
}

/**
 * @param fed a segment's inputs of that kind, (steps * batch, ...)
 * @returns which throws E_TRAIN_SHAPE for a shard that is not as the segment takes it
 */
export function createFeed(
  data: DataShards,
  { fed, batch }: { readonly fed: readonly ValueSpec[]; readonly batch: number },
): Feed {
  const placeOf = createShardOrder(data)
  return async ({ slot, cursor }) => {
    const first = cursor * BigInt(batch)
    const places = Array.from({ length: Number(fed[0]!.dims[0]) }, (_, i) => placeOf(slot, first + BigInt(i)))
    const shards = new Map<number, Columns>()
    for (const { shard } of places) {
      if (shards.has(shard)) continue
      const columns = await data.read(shard)
      assertShard(columns, { shard, samples: data.samples, fed })
      shards.set(shard, columns)
    }
    return Object.fromEntries(
      fed.map((spec) => {
        const rows = places.map(({ shard, row }) => ({ column: shards.get(shard)![columnName(spec)]!, row }))
        return [spec.name, stack(spec, rows)]
      }),
    )
  }
}

type ShardFacts = { readonly shard: number; readonly samples: number; readonly fed: readonly ValueSpec[] }

/** @throws E_TRAIN_SHAPE for a shard that is not as a segment takes it */
export function assertShard(columns: Columns, { shard, samples, fed }: ShardFacts): void {
  for (const spec of fed) {
    const column = columns[columnName(spec)]
    const wanted = [samples, ...spec.dims.slice(1)] as number[]
    if (column && column.dtype === spec.dtype && sameDims(column.dims, wanted)) continue
    const found = column ? `${column.dtype} [${column.dims}]` : "not there"
    throw engineError(
      "E_TRAIN_SHAPE",
      `in shard ${shard} the column "${columnName(spec)}" is ${found}, and should be ${spec.dtype} [${wanted}]`,
      { remedy: "give every shard the same columns, types, dims and number of samples" },
    )
  }
}

const columnName = ({ name }: ValueSpec): string => name.slice(PREFIX.length)

/** One row of each column after the other. */
function stack({ dtype, dims }: ValueSpec, rows: readonly { column: Tensor; row: number }[]): Tensor {
  const size = elementCount(dims.slice(1) as number[]) * bytesPerElement(dtype)
  const data = new Uint8Array(rows.length * size)
  for (const [i, { column, row }] of rows.entries()) {
    data.set(column.data.subarray(row * size, (row + 1) * size), i * size)
  }
  return { dtype, dims: dims as number[], data }
}
