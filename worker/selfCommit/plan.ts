import type { Address, Hex } from "viem"
import {
  type BatchShard,
  batchDataHash,
  buildTopTree,
  committedRoot,
  MAX_BATCH_SHARDS,
  packRange,
  type Terms,
} from "#protocol"
import { isSigned, type LeaseRecord, type SignedRecord } from "../records/record.ts"

/** Leases of one job that one transaction can commit: ascending by shard, within 64 shards of the first. */
export type CommitPlan = { jobId: bigint; terms: Terms; records: SignedRecord[] }

export type PlanParams = {
  now: bigint
  /** Seconds after a lease's end that belong to the coordinator. */
  margin: bigint
}

/**
 * R18: which receipts the coordinator has had its chance with. An honest one commits well before the lease's end plus
 * the margin; racing it would cost both a transaction and gain nothing.
 */
export function planSelfCommits(records: readonly LeaseRecord[], { now, margin }: PlanParams): CommitPlan[] {
  const due = records.filter(isSigned).filter(({ state, bundle }) => {
    return (state === "signed" || state === "stored") && now >= bundle.lease.expiry + margin
  })
  return groupByWindow(due)
}

/** Shards that only we may commit again, by the batch that lost them: reclaimed without waiting (R18). */
export function planReclaims(records: readonly LeaseRecord[]): { batchId: bigint; records: SignedRecord[] }[] {
  const lost = new Map<bigint, SignedRecord[]>()
  for (const record of records.filter(isSigned)) {
    if (record.state !== "open" || record.batchId === undefined) continue
    lost.set(record.batchId, [...(lost.get(record.batchId) ?? []), record])
  }
  return [...lost].map(([batchId, group]) => ({ batchId, records: byShard(group) }))
}

function groupByWindow(records: readonly SignedRecord[]): CommitPlan[] {
  const plans: CommitPlan[] = []
  for (const record of byShard(records)) {
    const { lease, terms } = record.bundle
    const open = plans.find(({ jobId, records: [first] }) => {
      return jobId === lease.jobId && lease.shard < first!.bundle.lease.shard + MAX_BATCH_SHARDS
    })
    if (open) open.records.push(record)
    else plans.push({ jobId: lease.jobId, terms, records: [record] })
  }
  return plans
}

/** Of two leases for one shard the later one counts: the first ran out. */
function byShard(records: readonly SignedRecord[]): SignedRecord[] {
  const latest = new Map<string, SignedRecord>()
  for (const record of records) {
    const { jobId, shard, start } = record.bundle.lease
    const known = latest.get(`${jobId}/${shard}`)
    if (!known || known.bundle.lease.start < start) latest.set(`${jobId}/${shard}`, record)
  }
  return [...latest.values()].sort((a, b) => a.bundle.lease.shard - b.bundle.lease.shard)
}

export type CommitArgs = { firstShard: number; root: Hex; range: bigint; dataHash: Hex }

/** What a commit says of these shards. A reclaim counts its mask from the old batch's first shard. */
export function commitArgs(
  { account, shards }: { account: Address; shards: readonly BatchShard[] },
  firstShard = shards[0]!.shard,
): CommitArgs {
  const row = shards.map(({ receipt }) => ({ hash: receipt.shardRoot, units: receipt.units }))
  const units = row.reduce((sum, node) => sum + node.units, 0n)
  const mask = shards.reduce((bits, { shard }) => bits | (1n << BigInt(shard - firstShard)), 0n)
  return {
    firstShard,
    root: committedRoot(buildTopTree(row).root),
    range: packRange({ worker: account, units: Number(units), mask }),
    dataHash: batchDataHash({ jobId: shards[0]!.lease.jobId, shards: [...shards] }),
  }
}
