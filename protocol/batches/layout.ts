import { CodedError } from "../errors/codedError.ts"
import { type ShardPlan, shardCount, shardTasks } from "../jobs/shards.ts"
import { bitsOf } from "./mask.ts"

/**
 * R5: positions of a batch are a bijection with its tasks. Every shard has S tasks but the job's last, which is last
 * in its batch, so the positions have no hole, whatever holes the mask has.
 */
export type BatchLayout = {
  readonly plan: ShardPlan
  readonly firstShard: number
  /** Absolute numbers of the shards present, ascending; the o-th has ordinal o. */
  readonly shards: readonly number[]
  /** N: how many leaves. */
  readonly size: number
}

export type Place = {
  readonly ordinal: number
  readonly shard: number
  readonly offset: number
  readonly taskIndex: number
}

export type LayoutErrorDetail =
  | { code: "E_BATCH_EMPTY"; message: string }
  | { code: "E_BATCH_SHARD"; shard: number; message: string }
  | { code: "E_BATCH_POSITION"; position: number; size: number; message: string }
export class LayoutError extends CodedError<LayoutErrorDetail> {}

export type BatchLayoutParams = { plan: ShardPlan; firstShard: number; mask: bigint }

export function batchLayout({ plan, firstShard, mask }: BatchLayoutParams): BatchLayout {
  const shards = bitsOf(mask).map((bit) => firstShard + bit)
  const last = shards.at(-1)
  if (last === undefined) throw new LayoutError({ code: "E_BATCH_EMPTY", message: "a batch without shards" })
  const count = shardCount(plan)
  if (last >= count) {
    const message = `shard ${last} of a job that has ${count}`
    throw new LayoutError({ code: "E_BATCH_SHARD", shard: last, message })
  }
  const lacking = last === count - 1 ? count * plan.shardSize - plan.tasks : 0
  return { plan, firstShard, shards, size: shards.length * plan.shardSize - lacking }
}

export function placeOf(layout: BatchLayout, position: number): Place {
  if (!Number.isSafeInteger(position) || position < 0 || position >= layout.size) {
    const message = `position ${position} of a batch of ${layout.size}`
    throw new LayoutError({ code: "E_BATCH_POSITION", position, size: layout.size, message })
  }
  const { shardSize } = layout.plan
  const ordinal = Math.floor(position / shardSize)
  const offset = position % shardSize
  const shard = layout.shards[ordinal]!
  return { ordinal, shard, offset, taskIndex: shard * shardSize + offset }
}

/** The position of a task, or undefined where the batch does not have it. */
export function positionOf(layout: BatchLayout, taskIndex: number): number | undefined {
  const { shardSize } = layout.plan
  const shard = Math.floor(taskIndex / shardSize)
  const ordinal = layout.shards.indexOf(shard)
  if (ordinal < 0 || taskIndex >= layout.plan.tasks) return undefined
  return ordinal * shardSize + (taskIndex % shardSize)
}

/** How many tasks each shard of the batch has, in order. */
export function shardLengths(layout: BatchLayout): number[] {
  return layout.shards.map((shard) => shardTasks(layout.plan, shard).count)
}
