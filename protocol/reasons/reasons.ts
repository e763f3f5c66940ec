/** One line of `assay why`: what the state means and which rule of the protocol decided it. */
export type ReasonEntry = {
  readonly subject: "job" | "task" | "batch" | "worker"
  readonly rule: string
  readonly text: string
}

/**
 * Every state of a job, a task, a batch and a worker has a code here. Codes are a contract with users' scripts: they
 * are added to, never renamed. A sentence says what is so and, where somebody can do something, what.
 */
export const REASONS = {
  // job
  JOB_SUBMITTED: { subject: "job", rule: "R9", text: "The coordinator has the job; its escrow is not on chain yet." },
  JOB_POSTED: { subject: "job", rule: "R9", text: "Its escrow is on chain; shards are leased from now on." },
  JOB_WAITING_NO_WORKER: {
    subject: "job",
    rule: "R25",
    text: "No worker that is online offers this capability. Start one, or wait.",
  },
  JOB_WAITING_REFUSED: {
    subject: "job",
    rule: "R13",
    text: "Workers are online, but none may take the job; the events count them by reason.",
  },
  JOB_WAITING_SEATS: {
    subject: "job",
    rule: "R25",
    text: "The capability has fewer seats or owners than a commit needs; shards are not leased until it has.",
  },
  JOB_WAITING_BOND: {
    subject: "job",
    rule: "R17",
    text: "The coordinator's free bond does not cover another batch; leasing goes on when one settles.",
  },
  JOB_RUNNING: { subject: "job", rule: "R14", text: "Shards are being computed." },
  JOB_SETTLING: { subject: "job", rule: "R30", text: "Everything is computed; batches are being audited and settled." },
  JOB_CLOSED: {
    subject: "job",
    rule: "R18",
    text: "The requester closed the job; leases that ran may still be committed.",
  },
  JOB_DEADLINE: {
    subject: "job",
    rule: "R18",
    text: "The deadline has passed; leases that started before it may still be committed.",
  },
  JOB_FINAL: { subject: "job", rule: "R30", text: "Every task is final and paid; what was not used can be refunded." },
  JOB_REFUNDABLE: { subject: "job", rule: "R18", text: "What was not used can be refunded: anyone may call refund." },
  JOB_REFUNDED: { subject: "job", rule: "R18", text: "Settled; what was not used is owed to the requester." },
  JOB_NOT_POSTED: {
    subject: "job",
    rule: "R9",
    text: "The job was submitted but never posted on chain; nothing was locked.",
  },
  // task
  TASK_QUEUED: { subject: "task", rule: "R14", text: "Its shard waits for a worker." },
  TASK_LEASED: { subject: "task", rule: "R14", text: "Its shard is leased to a worker, who has not delivered yet." },
  TASK_LEASE_EXPIRED: {
    subject: "task",
    rule: "R14",
    text: "The lease ran out before a receipt came; the shard is queued again.",
  },
  TASK_LEASE_RELEASED: {
    subject: "task",
    rule: "R14",
    text: "The worker gave the lease back; the shard is queued again.",
  },
  TASK_RECEIVED: {
    subject: "task",
    rule: "R17",
    text: "The receipt is stored; the shard waits to be committed in a batch.",
  },
  TASK_COMMITTED: { subject: "task", rule: "R19", text: "Committed on chain; the draw decides whether it is audited." },
  TASK_ATTESTED: {
    subject: "task",
    rule: "R30",
    text: "Its batch is attested; it is paid when the challenge window is over.",
  },
  TASK_FROZEN: {
    subject: "task",
    rule: "R24a",
    text: "A mismatch in its worker's range is before the jury; nothing of that range moves until it ends.",
  },
  TASK_PAID: { subject: "task", rule: "R23", text: "Final: its worker was paid units x fee." },
  TASK_VOID_WORKER: {
    subject: "task",
    rule: "R29",
    text: "A wrong leaf voided its worker's whole range: unpaid, collateral lost, shards queued again.",
  },
  TASK_VOID_SILENT: {
    subject: "task",
    rule: "R20",
    text: "A drawn sample of its range had no verdict: the range is unpaid, the worker keeps its collateral, the coordinator forfeits as much.",
  },
  TASK_VOID_COORDINATOR: {
    subject: "task",
    rule: "R26",
    text: "Voided by the coordinator's fault; its worker may commit the shard again within the claim period.",
  },
  TASK_VOID_NOBODY: {
    subject: "task",
    rule: "R28",
    text: "The jury found no majority: the range is void without a slash, shards queued again.",
  },
  TASK_RECLAIMABLE: {
    subject: "task",
    rule: "R18",
    text: "Its batch was withdrawn or forfeited; for the claim period only its worker may commit the shard.",
  },
  TASK_NEVER_RUN: {
    subject: "task",
    rule: "R18",
    text: "The job ended before the task was computed; its fee was refunded.",
  },
  // batch
  BATCH_PLANNED: { subject: "batch", rule: "R17", text: "The batch is put together; its commit is not on chain yet." },
  BATCH_COMMITTED: { subject: "batch", rule: "R19", text: "Committed; the seed of its draw does not exist yet." },
  BATCH_DRAWN: {
    subject: "batch",
    rule: "R20",
    text: "The seed is known; drawn verifiers are computing the samples again.",
  },
  BATCH_ATTESTED: {
    subject: "batch",
    rule: "R26",
    text: "All verdicts are in; leaves are public and may be challenged until the window ends.",
  },
  BATCH_HELD: {
    subject: "batch",
    rule: "R30",
    text: "A demand or dispute is open; the batch settles when it is over.",
  },
  BATCH_FINAL: {
    subject: "batch",
    rule: "R30",
    text: "Settled: workers, verifiers and coordinator were credited by totals.",
  },
  BATCH_WITHDRAWN: { subject: "batch", rule: "R17", text: "The committer withdrew the batch before its seed existed." },
  BATCH_FORFEITED: {
    subject: "batch",
    rule: "R24a",
    text: "Nobody attested in time: the bond is forfeited, workers' collateral is free, shards may be reclaimed.",
  },
  // worker
  WORKER_READY: { subject: "worker", rule: "R14", text: "Ready: gets leases as shards are queued." },
  WORKER_RUNNING: { subject: "worker", rule: "R14", text: "Computing a leased shard." },
  WORKER_OFFLINE: { subject: "worker", rule: "R14", text: "Not heard of lately." },
  WORKER_UNKNOWN: { subject: "worker", rule: "R14", text: "This coordinator has never heard of that account." },
  WORKER_VERIFY_ONLY: {
    subject: "worker",
    rule: "R20",
    text: "Runs with --verify-only: it audits when drawn and takes no leases.",
  },
  WORKER_KEY_UNREGISTERED: {
    subject: "worker",
    rule: "R8",
    text: "Its session key is not registered on chain, or was revoked; a key counts from the block after its registration.",
  },
  WORKER_SELF_TEST: {
    subject: "worker",
    rule: "R25",
    text: "The machine failed the profile's self-test, so it gets no exact work; it is never slashed for that.",
  },
  WORKER_CAPABILITY: {
    subject: "worker",
    rule: "R25",
    text: "The job asks for another profile or more memory than the worker offers.",
  },
  WORKER_COLLATERAL: {
    subject: "worker",
    rule: "R13",
    text: "Its free collateral with this coordinator does not cover one more range; reserve more, or wait for a batch to settle.",
  },
  WORKER_NOTICE: {
    subject: "worker",
    rule: "R13",
    text: "It has given notice for its collateral, so that no new range may rely on it.",
  },
  WORKER_LIMIT: {
    subject: "worker",
    rule: "R16",
    text: "It has as much uncommitted or unfinalized work with this coordinator as it allows.",
  },
  WORKER_COORDINATOR_BOND: {
    subject: "worker",
    rule: "R14",
    text: "The coordinator's standing bond is below what the worker asks for.",
  },
  WORKER_PAUSED: { subject: "worker", rule: "R16", text: "Paused by its owner: no new leases until it is resumed." },
  WORKER_CACHE_FULL: {
    subject: "worker",
    rule: "R16",
    text: "Unfinished shards fill its artifact cache; raise the limit, or wait until some are settled.",
  },
  WORKER_NO_PUBLIC_URL: {
    subject: "worker",
    rule: "R18",
    text: "It would have to commit for itself but has no address that verifiers can reach; start it with --public-url.",
  },
  WORKER_OWN_BATCHES: {
    subject: "worker",
    rule: "R18",
    text: "It stopped with batches of its own open; it must run until they are final, or they are forfeited.",
  },
  WORKER_COOLING: {
    subject: "worker",
    rule: "R14",
    text: "Too many leases in a row ended without a receipt; it gets work again after a pause.",
  },
  WORKER_TWICE: {
    subject: "worker",
    rule: "R8",
    text: "A second process uses the same key; one of them must stop, for a key signs one thing a lease.",
  },
  WORKER_NONDETERMINISTIC: {
    subject: "worker",
    rule: "R2",
    text: "Two runs of this model differed on the machine, so it gave the lease back.",
  },
  WORKER_LEAF_WRONG: {
    subject: "worker",
    rule: "R27",
    text: "A leaf that the worker signed comes out otherwise when it is computed again, so it cannot defend it.",
  },
  WORKER_LEAF_LOST: {
    subject: "worker",
    rule: "R27",
    text: "The worker no longer has the lease of a disputed leaf on its disk, so it cannot defend it.",
  },
  WORKER_AUDIT_LOST: {
    subject: "worker",
    rule: "R27",
    text: "The worker no longer has the audit that a dispute of its verdict is about on its disk, so it cannot show what it found.",
  },
  WORKER_VERDICT_WRONG: {
    subject: "worker",
    rule: "R22",
    text: "A verdict that the worker signed comes out otherwise when it is computed again: there is nothing to show, and its seat pays.",
  },
  WORKER_SLASHED: {
    subject: "worker",
    rule: "R29",
    text: "A leaf it signed was found wrong: that range is unpaid and its collateral is lost.",
  },
  WORKER_VERDICT_SLASHED: {
    subject: "worker",
    rule: "R22",
    text: "A verdict it signed was found false: C_v of its seat and its audit pay not yet final are lost.",
  },
  WORKER_LIVENESS: {
    subject: "worker",
    rule: "R25",
    text: "A called seat of it stayed silent and paid the liveness slash.",
  },
  WORKER_WAITING: { subject: "worker", rule: "R30", text: "Its work is committed and waits for audit and settlement." },
  WORKER_PAID: { subject: "worker", rule: "R10", text: "Pay is owed on chain; withdraw takes it." },
} as const satisfies Record<string, ReasonEntry>

export type ReasonCode = keyof typeof REASONS

export function reasonOf(code: ReasonCode): ReasonEntry & { readonly code: ReasonCode } {
  return { code, ...REASONS[code] }
}

export function isReasonCode(code: string): code is ReasonCode {
  return Object.hasOwn(REASONS, code)
}
