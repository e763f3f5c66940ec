/** The states of R24a and those before the chain knows; the machines are in job.ts, shard.ts and batch.ts. */
export const JOB_STATES = ["submitted", "open", "closed", "final", "refunded"] as const
export type JobState = (typeof JOB_STATES)[number]

export const SHARD_STATES = ["queued", "leased", "received", "committed", "attested", "final", "void"] as const
export type ShardState = (typeof SHARD_STATES)[number]

export const BATCH_STATES = ["planned", "committed", "drawn", "attested", "final", "withdrawn", "forfeited"] as const
export type BatchState = (typeof BATCH_STATES)[number]

/** By the number that the contract keeps; 0 is no batch. */
export const BATCH_STATE_BY_NUMBER: readonly (BatchState | undefined)[] = [
  undefined,
  "committed",
  "drawn",
  "attested",
  "final",
  "withdrawn",
  "forfeited",
]
