import type { jobs, leases } from "../../../coordinator/store/schema.ts"

const account = "0x00000000000000000000000000000000000000aa"
const hash = `0x${"11".repeat(32)}` as const

export function buildJob(given: Partial<typeof jobs.$inferInsert> = {}): typeof jobs.$inferInsert {
  return {
    jobId: 1n,
    state: "open",
    requester: account,
    nonce: 0n,
    terms: { version: 0, fee: "1" },
    termsHash: hash,
    spec: {},
    jobSalt: hash,
    capability: hash,
    model: hash,
    tasks: 16,
    shardSize: 8,
    shards: 2,
    fee: 1n,
    maxUnits: 1,
    deadline: 2_000_000_000,
    inputTree: hash,
    ...given,
  }
}

export function buildLease(given: Partial<typeof leases.$inferInsert> = {}): typeof leases.$inferInsert {
  return {
    leaseHash: hash,
    jobId: 1n,
    shard: 0,
    worker: account,
    startAt: 100,
    expiry: 160,
    endAt: 160,
    signature: "0x",
    state: "active",
    collateral: 0n,
    ...given,
  }
}
