import { sql } from "drizzle-orm"
import { boolean, index, integer, jsonb, pgTable, primaryKey, serial, text, uniqueIndex } from "drizzle-orm/pg-core"
import type { Address, Hex } from "viem"
import type { BatchState, JobState, ShardState, WireLeaf } from "#protocol"
import { address, count, hex, uint, when } from "./columns.ts"

// One database is the truth: whatever the queue, the caches or the process lose can be rebuilt from these tables.
// Times named `...At` with type `when` are the service's own clock (for people); those of type `count` are chain time.

/** Which deployment this database belongs to: nothing of an old chain ever meets a new one. */
export const deployment = pgTable("deployment", {
  id: integer("id").primaryKey().default(1),
  chainId: count("chain_id").notNull(),
  market: address("market").notNull(),
  genesisHash: hex("genesis_hash").notNull(),
  deployedBlock: count("deployed_block").notNull(),
  /** Whose jobs, bonds and promises the rows are. */
  coordinator: address("coordinator"),
  createdAt: when("created_at").notNull().defaultNow(),
})

// ---------------------------------------------------------------- jobs

/** submitted: stored, the escrow not seen; open: JobPosted seen; closed: no new leases; final: every shard is. */
export const jobs = pgTable(
  "jobs",
  {
    jobId: uint("job_id").primaryKey(),
    state: text("state").$type<JobState>().notNull(),
    requester: address("requester").notNull(),
    nonce: uint("nonce").notNull(),
    /** Terms in their JSON form (integers as decimal strings), as `protocol` parses them. */
    terms: jsonb("terms").$type<Record<string, string | number>>().notNull(),
    termsHash: hex("terms_hash").notNull(),
    spec: jsonb("spec").$type<unknown>().notNull(),
    /** R6: the requester's secret; never part of the spec and never shown to a peer. */
    jobSalt: hex("job_salt").notNull(),
    capability: hex("capability").notNull(),
    model: hex("model").notNull(),
    tasks: integer("tasks").notNull(),
    shardSize: integer("shard_size").notNull(),
    shards: integer("shards").notNull(),
    fee: uint("fee").notNull(),
    maxUnits: count("max_units").notNull(),
    deadline: count("deadline").notNull(),
    /** sha256 of the artifact that holds the input commitments and every level of their tree. */
    inputTree: hex("input_tree").notNull(),
    /** sha256 of an artifact whose tensors results may repeat. */
    expected: hex("expected"),
    /** Number of the next batch (R1: batchId = jobId << 32 | number). */
    nextBatch: integer("next_batch").notNull().default(0),
    createdAt: when("created_at").notNull().defaultNow(),
    postedBlock: count("posted_block"),
    postedTx: hex("posted_tx"),
    closedAt: count("closed_at"),
    refunded: uint("refunded"),
    refundTx: hex("refund_tx"),
  },
  (t) => [index("jobs_requester").on(t.requester), index("jobs_state").on(t.state, t.createdAt)],
)

export const shards = pgTable(
  "shards",
  {
    jobId: uint("job_id").notNull(),
    shard: integer("shard").notNull(),
    state: text("state").$type<ShardState>().notNull(),
    /** sha256 of the shard's input bundle. */
    inputs: hex("inputs").notNull(),
    attempts: integer("attempts").notNull().default(0),
    /** The lease that counts: the live one while leased, the one received afterwards. */
    leaseHash: hex("lease_hash"),
    worker: address("worker"),
    units: count("units"),
    batchId: uint("batch_id"),
    /** R14: chain time before which no new lease may start (the end of the last one). */
    availableAt: count("available_at").notNull().default(0),
    /** Whether the queue was told. Whoever queues a shard again sets it to false; the feeder does the rest. */
    enqueued: boolean("enqueued").notNull().default(false),
    receivedAt: when("received_at"),
    updatedAt: when("updated_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.jobId, t.shard] }),
    index("shards_state").on(t.state, t.updatedAt),
    index("shards_unfed").on(t.availableAt).where(sql`state = 'queued' and not enqueued`),
    index("shards_batch").on(t.batchId),
    index("shards_worker").on(t.worker, t.state),
  ],
)

// ---------------------------------------------------------------- leases and receipts

export type LeaseState = "active" | "received" | "released" | "expired"

/** Migration 0001 adds the exclusion constraint of R14: no two leases of one shard overlap. */
export const leases = pgTable(
  "leases",
  {
    leaseHash: hex("lease_hash").primaryKey(),
    jobId: uint("job_id").notNull(),
    shard: integer("shard").notNull(),
    worker: address("worker").notNull(),
    startAt: count("start_at").notNull(),
    expiry: count("expiry").notNull(),
    /** `expiry`, or the time of the worker's signed release. */
    endAt: count("end_at").notNull(),
    signature: hex("signature").notNull(),
    state: text("state").$type<LeaseState>().notNull(),
    /** Collateral promised for the range that this lease may become (R13). */
    collateral: uint("collateral").notNull(),
    releaseSignature: hex("release_signature"),
    /** The time in the worker's signed release, which `endAt` is cut from: what answers a claim of equivocation. */
    releaseAt: count("release_at"),
    endReason: text("end_reason"),
    createdAt: when("created_at").notNull().defaultNow(),
  },
  (t) => [
    index("leases_worker").on(t.worker, t.state),
    index("leases_expiry").on(t.state, t.expiry),
    index("leases_shard").on(t.jobId, t.shard),
  ],
)

export type StoredLeaf = WireLeaf

export const receipts = pgTable(
  "receipts",
  {
    leaseHash: hex("lease_hash").primaryKey(),
    jobId: uint("job_id").notNull(),
    shard: integer("shard").notNull(),
    worker: address("worker").notNull(),
    shardRoot: hex("shard_root").notNull(),
    units: count("units").notNull(),
    signature: hex("signature").notNull(),
    /** sha256 of the bundle of outputs. */
    outputs: hex("outputs").notNull(),
    leaves: jsonb("leaves").$type<StoredLeaf[]>().notNull(),
    receivedAt: when("received_at").notNull().defaultNow(),
  },
  (t) => [index("receipts_shard").on(t.jobId, t.shard)],
)

// ---------------------------------------------------------------- artifacts

export const artifacts = pgTable("artifacts", {
  sha256: hex("sha256").primaryKey(),
  bytes: count("bytes").notNull(),
  /** Models of posted jobs and data of attested batches: anyone may read them. */
  public: boolean("public").notNull().default(false),
  uploader: address("uploader"),
  createdAt: when("created_at").notNull().defaultNow(),
})

/** Who else may read an artifact; `until` is chain time, absent means for good. */
export const artifactAcl = pgTable(
  "artifact_acl",
  {
    sha256: hex("sha256").notNull(),
    account: address("account").notNull(),
    reason: text("reason").$type<"uploader" | "requester" | "lease" | "candidate" | "juror" | "worker">().notNull(),
    until: count("until"),
  },
  (t) => [primaryKey({ columns: [t.sha256, t.account, t.reason] })],
)

// ---------------------------------------------------------------- workers

export type StoredProfile = { profile: string; memoryGiB: number; selfTest: "ok" | "failed" }
export type StoredReason = { code: string; text: string }

export const workers = pgTable(
  "workers",
  {
    account: address("account").primaryKey(),
    sessionKey: address("session_key").notNull(),
    version: text("version").notNull(),
    profiles: jsonb("profiles").$type<StoredProfile[]>().notNull(),
    threads: integer("threads").notNull(),
    device: text("device").notNull(),
    verifyOnly: boolean("verify_only").notNull(),
    publicUrl: text("public_url"),
    firstSeen: when("first_seen").notNull().defaultNow(),
    lastSeen: when("last_seen").notNull().defaultNow(),
    /** Leases in a row that ended without a receipt: what the cool-down is reckoned from. */
    failures: integer("failures").notNull().default(0),
    cooledUntil: when("cooled_until"),
    refused: jsonb("refused").$type<StoredReason[]>().notNull().default([]),
  },
  (t) => [index("workers_seen").on(t.lastSeen)],
)

export const requestNonces = pgTable(
  "request_nonces",
  {
    account: address("account").notNull(),
    nonce: uint("nonce").notNull(),
    expiry: count("expiry").notNull(),
  },
  (t) => [primaryKey({ columns: [t.account, t.nonce] }), index("request_nonces_expiry").on(t.expiry)],
)

// ---------------------------------------------------------------- batches, audits, disputes

/** A batch that the batcher has built. Only the chain numbers batches (workers commit too), so its id comes later. */
export const batchPlans = pgTable(
  "batch_plans",
  {
    id: serial("id").primaryKey(),
    jobId: uint("job_id").notNull(),
    firstShard: integer("first_shard").notNull(),
    root: hex("root").notNull(),
    /** R4 range words, as decimal strings. */
    ranges: jsonb("ranges").$type<string[]>().notNull(),
    /** The leases whose receipts stand under the root, ascending by shard. */
    leases: jsonb("leases").$type<{ shard: number; leaseHash: Hex }[]>().notNull(),
    dataHash: hex("data_hash").notNull(),
    state: text("state").$type<"planned" | "committed" | "failed">().notNull(),
    batchId: uint("batch_id"),
    reason: text("reason"),
    createdAt: when("created_at").notNull().defaultNow(),
  },
  (t) => [index("batch_plans_job").on(t.jobId, t.state), index("batch_plans_root").on(t.root)],
)

// `batches`, `ranges`, `disputes`, `demands`, `seats`, `seatCounts`, `keys` and the chain columns of `jobs` follow from
// `chainLogs` alone: dropping them and applying the logs again gives the same rows.

export const batches = pgTable(
  "batches",
  {
    batchId: uint("batch_id").primaryKey(),
    jobId: uint("job_id").notNull(),
    number: integer("number").notNull(),
    state: text("state").$type<BatchState>().notNull(),
    committer: address("committer").notNull(),
    backer: address("backer").notNull(),
    firstShard: integer("first_shard").notNull(),
    root: hex("root").notNull(),
    /** Number of leaves, and of samples. */
    leaves: integer("leaves").notNull(),
    samples: integer("samples").notNull(),
    commitBlock: count("commit_block").notNull(),
    commitTime: count("commit_time").notNull(),
    /** R4 range words, as decimal strings, in the order of the chain. */
    ranges: jsonb("ranges").$type<string[]>().notNull(),
    seed: hex("seed"),
    verdictRoot: hex("verdict_root"),
    /** R24 verifier words, as decimal strings. */
    verifiers: jsonb("verifiers").$type<string[]>(),
    silentRanges: uint("silent_ranges"),
    attestTime: count("attest_time"),
    /** When it became final, withdrawn or forfeited. */
    endTime: count("end_time"),
    /** Side mapping: ranges voided and frozen, one bit each. */
    voided: uint("voided").notNull().default(sql`0`),
    frozen: uint("frozen").notNull().default(sql`0`),
    /** R18: shards (bits from firstShard) that were reclaimed or released after a void that was not their worker's fault. */
    reclaimed: uint("reclaimed").notNull().default(sql`0`),
    released: uint("released").notNull().default(sql`0`),
    /** sha256 of the artifact with the batch's shards (leases, receipts, leaves). */
    dataHash: hex("data_hash").notNull(),
    url: text("url").notNull().default(""),
    commitTx: hex("commit_tx").notNull(),
    drawTx: hex("draw_tx"),
    attestTx: hex("attest_tx"),
    /** The transaction that made it final, withdrawn or forfeited. */
    finalizeTx: hex("finalize_tx"),
  },
  (t) => [uniqueIndex("batches_number").on(t.jobId, t.number), index("batches_state").on(t.state)],
)

export const ranges = pgTable(
  "ranges",
  {
    batchId: uint("batch_id").notNull(),
    position: integer("position").notNull(),
    worker: address("worker").notNull(),
    units: count("units").notNull(),
    mask: uint("mask").notNull(),
    collateral: uint("collateral").notNull(),
    /** null while good; the cause of the void otherwise. */
    voided: text("voided").$type<"worker" | "coordinator" | "nobody">(),
    voidTime: count("void_time"),
    voidTx: hex("void_tx"),
    frozen: boolean("frozen").notNull().default(false),
    paid: boolean("paid").notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.batchId, t.position] }), index("ranges_worker").on(t.worker)],
)

/** One drawn position of a batch and who was asked about it (R20). */
export const samples = pgTable(
  "samples",
  {
    batchId: uint("batch_id").notNull(),
    sample: integer("sample").notNull(),
    position: integer("position").notNull(),
    taskIndex: integer("task_index").notNull(),
    shard: integer("shard").notNull(),
    /** The range that the position lies in, and its worker, who may not audit it. */
    range: integer("range").notNull(),
    worker: address("worker").notNull(),
    /** Accounts in drawn order; one owner may stand there more than once. */
    candidates: jsonb("candidates").$type<Address[]>().notNull(),
    /** The seed that drew it: after a reorg there may be another. */
    seed: hex("seed").notNull(),
    /** Whom it was handed to last, and until when (chain time) that one is waited for. */
    askedTo: address("asked_to"),
    askedUntil: count("asked_until"),
    state: text("state").$type<"open" | "asked" | "answered" | "silent">().notNull(),
    /** R20: whom a call on chain names, the candidates among them, and until when they may answer once it stands there. */
    called: jsonb("called").$type<Address[]>(),
    calledUntil: count("called_until"),
  },
  (t) => [
    primaryKey({ columns: [t.batchId, t.sample] }),
    index("samples_state").on(t.state),
    index("samples_asked").on(t.askedTo, t.state),
  ],
)

export const verdicts = pgTable(
  "verdicts",
  {
    batchId: uint("batch_id").notNull(),
    sample: integer("sample").notNull(),
    verifier: address("verifier").notNull(),
    position: integer("position").notNull(),
    units: count("units").notNull(),
    outputCommitment: hex("output_commitment").notNull(),
    keyedDigest: hex("keyed_digest").notNull(),
    verdictHash: hex("verdict_hash").notNull(),
    signature: hex("signature").notNull(),
    /** Whether it agrees with the leaf. */
    agrees: boolean("agrees").notNull(),
    /** Whether the attestation used it. */
    used: boolean("used").notNull().default(false),
    /** R22: the round that drew the sample's verdict to be given a second time; null for a first verdict. */
    round: integer("round"),
    receivedAt: when("received_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.batchId, t.sample, t.verifier] }), index("verdicts_verifier").on(t.verifier)],
)

/** R22: second seeds, as the chain has them. */
export const rounds = pgTable("rounds", {
  round: integer("round").primaryKey(),
  block: count("block").notNull(),
  time: count("time").notNull(),
})

/** R22: which round drew a batch, so that it is drawn once. */
export const reauditedBatches = pgTable("reaudited_batches", {
  batchId: uint("batch_id").primaryKey(),
  round: integer("round").notNull(),
})

/** R22: a verdict that a round drew, and who audits its task again. */
export const reaudits = pgTable(
  "reaudits",
  {
    batchId: uint("batch_id").notNull(),
    sample: integer("sample").notNull(),
    round: integer("round").notNull(),
    candidates: jsonb("candidates").$type<Address[]>().notNull(),
    /** Whom it was handed to last, and until when (chain time) that one is waited for. */
    askedTo: address("asked_to"),
    askedUntil: count("asked_until"),
    state: text("state").$type<"open" | "asked" | "answered">().notNull(),
  },
  (t) => [primaryKey({ columns: [t.batchId, t.sample] }), index("reaudits_state").on(t.state)],
)

/** R14: claims that we gave one shard to two workers, until they are answered. */
export const equivocations = pgTable("equivocations", {
  claimId: hex("claim_id").primaryKey(),
  jobId: uint("job_id").notNull(),
  shard: integer("shard").notNull(),
  /** The lease that a release must have ended. */
  firstHash: hex("first_hash").notNull(),
  until: count("until").notNull(),
})

export const disputes = pgTable(
  "disputes",
  {
    disputeId: uint("dispute_id").primaryKey(),
    batchId: uint("batch_id").notNull(),
    range: integer("range").notNull(),
    sample: integer("sample").notNull(),
    verifier: address("verifier").notNull(),
    leafOutput: hex("leaf_output").notNull(),
    verdictOutput: hex("verdict_output").notNull(),
    openBlock: count("open_block").notNull(),
    openTime: count("open_time"),
    state: text("state").$type<"open" | "resolved">().notNull(),
    outcome: text("outcome").$type<"upheld" | "refuted" | "noMajority">(),
    output: hex("output"),
    /** Accounts of the seats drawn, each with its weight. */
    jurors: jsonb("jurors").$type<{ account: string; weight: number; committed: boolean; revealed: boolean }[]>(),
    openTx: hex("open_tx"),
    resolveTx: hex("resolve_tx"),
    resolveTime: count("resolve_time"),
  },
  (t) => [index("disputes_batch").on(t.batchId), index("disputes_state").on(t.state)],
)

export const demands = pgTable(
  "demands",
  {
    demandId: uint("demand_id").primaryKey(),
    batchId: uint("batch_id").notNull(),
    kind: text("kind").$type<"leaf" | "shards" | "verdict" | "signature">().notNull(),
    position: integer("position").notNull(),
    asker: address("asker").notNull(),
    deadline: count("deadline").notNull(),
    state: text("state").$type<"open" | "answered" | "expired">().notNull(),
    openTx: hex("open_tx"),
    answerTx: hex("answer_tx"),
  },
  (t) => [index("demands_batch").on(t.batchId), index("demands_state").on(t.state, t.deadline)],
)

// ---------------------------------------------------------------- chain

export type OutboxState = "queued" | "sent" | "done" | "failed"

/** Calls that must reach the chain, written in the same database transaction as the state that caused them. */
export const outbox = pgTable(
  "outbox",
  {
    id: serial("id").primaryKey(),
    sender: address("sender").notNull(),
    /** What the call achieves: the same key is never queued twice. */
    key: text("key").notNull(),
    /** commit, attest, finalize, draw, answer, mismatch, resolve, release, allow, ... */
    kind: text("kind").notNull(),
    to: address("to_address").notNull(),
    data: hex("data").notNull(),
    value: uint("value").notNull().default(sql`0`),
    /** Calls that may share one multicall of their target, in ascending order of rank. */
    pipelined: boolean("pipelined").notNull().default(false),
    rank: integer("rank").notNull().default(0),
    state: text("state").$type<OutboxState>().notNull().default("queued"),
    attempts: integer("attempts").notNull().default(0),
    maxAttempts: integer("max_attempts").notNull(),
    notBefore: when("not_before").notNull().defaultNow(),
    txId: integer("tx_id"),
    /** Name of the contract's custom error, and the whole reason, of the last attempt that failed. */
    errorName: text("error_name"),
    error: text("error"),
    createdAt: when("created_at").notNull().defaultNow(),
    endedAt: when("ended_at"),
  },
  (t) => [uniqueIndex("outbox_key").on(t.sender, t.key), index("outbox_state").on(t.sender, t.state, t.id)],
)

/** Signed transactions, stored before they are broadcast: after a crash the very same bytes go out again. */
export const outboxTxs = pgTable(
  "outbox_txs",
  {
    id: serial("id").primaryKey(),
    sender: address("sender").notNull(),
    nonce: count("nonce").notNull(),
    to: address("to_address").notNull(),
    data: hex("data").notNull(),
    value: uint("value").notNull(),
    gas: uint("gas").notNull(),
    maxFeePerGas: uint("max_fee_per_gas").notNull(),
    maxPriorityFeePerGas: uint("max_priority_fee_per_gas").notNull(),
    /** The newest attempt. */
    raw: hex("raw").notNull(),
    /** Every hash it was ever sent under (fee bumps), the last one last. */
    hashes: jsonb("hashes").$type<Hex[]>().notNull(),
    /** lost: its nonce was used by something else, so its calls were queued again. */
    state: text("state").$type<"sent" | "mined" | "reverted" | "lost">().notNull(),
    minedBlock: count("mined_block"),
    minedHash: hex("mined_hash"),
    gasUsed: uint("gas_used"),
    sentAt: when("sent_at").notNull().defaultNow(),
  },
  (t) => [index("outbox_txs_state").on(t.sender, t.state)],
)

/** Which replica sends for a key, and until when: only the sender of a key is elected. */
export const outboxSenders = pgTable("outbox_senders", {
  sender: address("sender").primaryKey(),
  holder: text("holder").notNull(),
  until: when("until").notNull(),
})

export const cursor = pgTable("cursor", {
  name: text("name").primaryKey(),
  block: count("block").notNull(),
  blockHash: hex("block_hash").notNull(),
  time: count("time").notNull(),
})

/** Headers of the last blocks: how a reorganisation is noticed, and where it began. */
export const chainBlocks = pgTable("chain_blocks", {
  number: count("number").primaryKey(),
  hash: hex("hash").notNull(),
  time: count("time").notNull(),
})

/** Raw logs. `subject` is what they change (`job:...`, `seats:...`, `key:...`): a rollback replays only that. */
export const chainLogs = pgTable(
  "chain_logs",
  {
    block: count("block").notNull(),
    logIndex: integer("log_index").notNull(),
    blockHash: hex("block_hash").notNull(),
    tx: hex("tx").notNull(),
    contract: address("contract").notNull(),
    event: text("event").notNull(),
    subject: text("subject").notNull(),
    topics: jsonb("topics").$type<Hex[]>().notNull(),
    data: hex("data").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.block, t.logIndex] }),
    index("chain_logs_event").on(t.event, t.block),
    index("chain_logs_subject").on(t.subject, t.block, t.logIndex),
  ],
)

/** Checkpoints of seat owners (R20): the owner at block b is the row with the greatest `fromBlock` <= b. */
export const seats = pgTable(
  "seats",
  {
    capability: hex("capability").notNull(),
    seat: integer("seat").notNull(),
    fromBlock: count("from_block").notNull(),
    owner: address("owner").notNull(),
  },
  (t) => [primaryKey({ columns: [t.capability, t.seat, t.fromBlock] }), index("seats_owner").on(t.owner)],
)

export const seatCounts = pgTable(
  "seat_counts",
  {
    capability: hex("capability").notNull(),
    fromBlock: count("from_block").notNull(),
    seats: integer("seats").notNull(),
  },
  (t) => [primaryKey({ columns: [t.capability, t.fromBlock] })],
)

export const keys = pgTable(
  "keys",
  {
    key: address("key").primaryKey(),
    account: address("account").notNull(),
    fromBlock: count("from_block").notNull(),
    revokedBlock: count("revoked_block"),
  },
  (t) => [index("keys_account").on(t.account)],
)

/** R13: the slot of a pair, as last read or as events tell. */
export const pairs = pgTable(
  "pairs",
  {
    account: address("account").notNull(),
    coordinator: address("coordinator").notNull(),
    free: uint("free").notNull(),
    owed: uint("owed").notNull(),
    noticeAt: count("notice_at").notNull(),
    flags: integer("flags").notNull(),
    block: count("block").notNull(),
  },
  (t) => [primaryKey({ columns: [t.account, t.coordinator] })],
)

// ---------------------------------------------------------------- why

/** What `why` is told from: one row for everything that somebody may ask about. */
export const events = pgTable(
  "events",
  {
    id: serial("id").primaryKey(),
    at: when("at").notNull().defaultNow(),
    code: text("code").notNull(),
    text: text("text").notNull(),
    jobId: uint("job_id"),
    shard: integer("shard"),
    taskIndex: integer("task_index"),
    worker: address("worker"),
    batchId: uint("batch_id"),
    tx: hex("tx"),
    /** The block of `tx`: what a reorg takes back is no longer told. */
    block: count("block"),
    data: jsonb("data").$type<Record<string, unknown>>(),
  },
  (t) => [
    index("events_job").on(t.jobId, t.id),
    index("events_worker").on(t.worker, t.id),
    index("events_batch").on(t.batchId, t.id),
  ],
)
