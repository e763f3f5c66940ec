import { and, asc, eq, inArray } from "drizzle-orm"
import type { Hex } from "viem"
import { z } from "zod"
import { type BatchShards, BatchShardsSchema, type Lease } from "#protocol"
import type { Db } from "../store/database.ts"
import { leases, receipts } from "../store/schema.ts"

type Stored = { lease: typeof leases.$inferSelect; receipt: typeof receipts.$inferSelect }

/** Leases with their receipts, ascending by shard; fewer than asked for if some are not there. */
export async function storedShards(db: Db, leaseHashes: readonly Hex[]): Promise<Stored[]> {
  if (leaseHashes.length === 0) return []
  return db
    .select({ lease: leases, receipt: receipts })
    .from(receipts)
    .innerJoin(leases, eq(leases.leaseHash, receipts.leaseHash))
    .where(and(inArray(receipts.leaseHash, [...leaseHashes])))
    .orderBy(asc(receipts.shard))
}

export function leaseOf({ lease }: Pick<Stored, "lease">): Lease {
  const { jobId, shard, worker, startAt, expiry } = lease
  return { jobId, shard, worker, start: BigInt(startAt), expiry: BigInt(expiry) }
}

/** What a commit's dataHash covers: the signed leases and receipts with their leaves (R15, R17). */
export function batchShards(jobId: bigint, stored: readonly Stored[]): BatchShards {
  return {
    jobId,
    shards: stored.map(({ lease, receipt }) => ({
      shard: lease.shard,
      lease: leaseOf({ lease }),
      leaseSignature: lease.signature,
      receipt: { leaseHash: receipt.leaseHash, shardRoot: receipt.shardRoot, units: BigInt(receipt.units) },
      receiptSignature: receipt.signature,
      leaves: receipt.leaves,
    })),
  }
}

export function parseBatchShards(bytes: Uint8Array): BatchShards {
  return z.decode(BatchShardsSchema, JSON.parse(Buffer.from(bytes).toString("utf8")))
}
