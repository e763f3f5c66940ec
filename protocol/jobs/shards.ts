/** How a job is cut into shards: S tasks each, but the last, which has what is left (R5). */
export type ShardPlan = { readonly tasks: number; readonly shardSize: number }

export function shardCount({ tasks, shardSize }: ShardPlan): number {
  return Math.ceil(tasks / shardSize)
}

export function shardTasks({ tasks, shardSize }: ShardPlan, shard: number): { first: number; count: number } {
  const first = shard * shardSize
  if (!Number.isSafeInteger(shard) || shard < 0 || first >= tasks) throw new RangeError(`no shard ${shard}`)
  return { first, count: Math.min(shardSize, tasks - first) }
}

export function shardOfTask({ shardSize }: ShardPlan, taskIndex: number): number {
  return Math.floor(taskIndex / shardSize)
}
