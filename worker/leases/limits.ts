import type { LeaseRecord } from "../records/record.ts"

/** R16: how much work a coordinator may owe this worker before it takes no more, in shards. */
export type WorkLimits = { uncommittedShards: number; unfinalizedShards: number }

export const DEFAULT_LIMITS: WorkLimits = { uncommittedShards: 256, unfinalizedShards: 4096 }

/** The reason to take no further lease, if there is one. */
export function limitReached(
  records: readonly LeaseRecord[],
  { uncommittedShards, unfinalizedShards }: WorkLimits,
): { code: string; text: string } | undefined {
  let uncommitted = 0
  let unfinalized = 0
  for (const { state } of records) {
    if (state === "signed" || state === "stored") uncommitted++
    else if (state === "committed" || state === "open") unfinalized++
  }
  if (uncommitted >= uncommittedShards) {
    const text = `${uncommitted} shards wait to be committed; at most ${uncommittedShards} are risked with one coordinator`
    return { code: "WORKER_LIMIT", text: `${text} (R16)` }
  }
  if (uncommitted + unfinalized >= unfinalizedShards) {
    const text = `${uncommitted + unfinalized} shards wait to be paid; at most ${unfinalizedShards} are risked`
    return { code: "WORKER_LIMIT", text: `${text} with one coordinator (R16)` }
  }
  return undefined
}
