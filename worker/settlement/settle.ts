import { type Address, isAddressEqual, parseEventLogs } from "viem"
import {
  auditPay,
  bitsOf,
  formatAmount,
  parseRanges,
  parseVerifiers,
  type Range,
  type Terms,
  unpackRange,
} from "#protocol"
import type { BatchBook, CommittedBatch } from "../chain/batches.ts"
import { jobOfBatch } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { ChainEvent } from "../chain/watch.ts"
import type { Emit } from "../events.ts"
import { isSigned, type LeaseRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"

export type SettleDeps = {
  chain: Chain
  account: Address
  records: RecordStore
  batches: BatchBook
  emit: Emit
  now: () => bigint
}

/**
 * Moves our leases along with the chain's events, and says what was earned and lost. Nothing here believes the
 * coordinator: a lease is committed when the chain has the batch, and paid when the contract owes the pay.
 */
export async function settle(deps: SettleDeps, event: ChainEvent): Promise<void> {
  const { account, emit } = deps
  const tx = event.transactionHash
  switch (event.eventName) {
    case "BatchCommitted":
      return await noteCommit(deps, event.args.batchId, tx)
    case "BatchFinalized":
      return await notePay(deps, event)
    case "RangeVoided":
      if (isAddressEqual(event.args.worker, account)) await noteVoid(deps, event)
      return
    case "BatchWithdrawn":
    case "BatchForfeited":
      return await moveBatch(deps, event.args.batchId, "open")
    case "ShardsReleased":
      // The claim period is over and the shards are anybody's again.
      return await moveBatch(deps, event.args.batchId, "lost", "open")
    case "SeatSlashed":
      if (isAddressEqual(event.args.account, account)) {
        const reason = reasonText(event.args.reason)
        emit({ kind: "slashed", amount: event.args.amount, code: "SEAT_SLASHED", text: `seat stake: ${reason}`, tx })
      }
      return
    case "Rewarded":
      if (isAddressEqual(event.args.account, account)) await noteReward(deps, event)
      return
    case "Withdrawn":
      if (isAddressEqual(event.args.account, account)) {
        const { amount, coordinator } = event.args
        emit({ kind: "withdrawn", amount, coordinator, tx })
      }
      return
  }
}

async function noteCommit({ account, batches, records, emit, now }: SettleDeps, batchId: bigint, tx: `0x${string}`) {
  const committed = await batches.batch(batchId)
  const mine = committed && rangeOf(committed, account)
  if (!committed || !mine) return
  const by = isAddressEqual(committed.batch.committer, account) ? "self" : "coordinator"
  for (const record of recordsIn(records, committed, mine.range)) {
    // A range of ours with a shard that we never signed: the coordinator would have to prove it, and cannot (R14).
    if (!isSigned(record)) continue
    await records.put({ ...record, state: "committed", batchId, changedAt: Number(now()) })
  }
  emit({ kind: "committed", batchId, by, units: mine.range.units, tx })
}

async function notePay(deps: SettleDeps, event: Extract<ChainEvent, { eventName: "BatchFinalized" }>): Promise<void> {
  const { account, batches, records, now } = deps
  const { batchId, paidRanges } = event.args
  const committed = await batches.batch(batchId)
  const terms = await batches.terms(jobOfBatch(batchId))
  if (!committed || !terms) return
  const tx = event.transactionHash
  const mine = rangeOf(committed, account)
  const paid = mine !== undefined && ((paidRanges >> BigInt(mine.index)) & 1n) === 1n
  const workerPay = paid ? BigInt(mine.range.units) * terms.fee : 0n
  const verifierPay = await verifierPayOf(deps, batchId, terms)
  await reportPay(deps, { committed, terms, workerPay, verifierPay, block: event.blockNumber, tx })
  for (const record of mine ? recordsIn(records, committed, mine.range) : []) {
    if (record.batchId !== batchId || record.state !== "committed") continue
    await records.put({ ...record, state: paid ? "final" : "void", changedAt: Number(now()) })
  }
}

async function verifierPayOf({ account, batches }: SettleDeps, batchId: bigint, terms: Terms): Promise<bigint> {
  const attestation = await batches.attestation(batchId)
  const word = parseVerifiers(attestation?.verifiers ?? []).find(({ verifier }) => isAddressEqual(verifier, account))
  return word ? auditPay(terms, word.units) : 0n
}

type PayParams = {
  committed: CommittedBatch
  terms: Terms
  workerPay: bigint
  verifierPay: bigint
  block: bigint
  tx: `0x${string}`
}

/** What the rules say is reported only as far as the contract's own books say it too: `owed` must have risen by it. */
async function reportPay({ chain, account, emit }: SettleDeps, pay: PayParams): Promise<void> {
  const { committed, terms, workerPay, verifierPay, block, tx } = pay
  const { batchId, batch } = committed
  // Workers are paid in the backer's pair, verifiers in that of the job's coordinator (R13).
  const parts = [
    { role: "worker", amount: workerPay, coordinator: batch.backer },
    { role: "verifier", amount: verifierPay, coordinator: terms.coordinator },
  ] as const
  for (const { role, amount, coordinator } of parts) {
    if (amount === 0n) continue
    const credited = await creditedIn(chain, { account, coordinator, block })
    if (credited >= amount) emit({ kind: "paid", batchId, role, amount, tx })
    else {
      const text = `the batch was finalized, but the contract credited ${formatAmount(credited)} where ${formatAmount(amount)} was due as ${role}`
      emit({ kind: "refused", code: "E_PAY_WITHHELD", text })
    }
  }
}

/** By how much a block raised what the Registry owes: the change of `owed` plus what was withdrawn in it. */
async function creditedIn(
  { registry, client, deployment }: Chain,
  { account, coordinator, block }: { account: Address; coordinator: Address; block: bigint },
): Promise<bigint> {
  const pair = [account, coordinator] as const
  const [before, after, withdrawals] = await Promise.all([
    registry.read.pairOf(pair, { blockNumber: block - 1n }),
    registry.read.pairOf(pair, { blockNumber: block }),
    client.getContractEvents({
      address: deployment.contracts.registry,
      abi: registry.abi,
      eventName: "Withdrawn",
      args: { account, coordinator },
      fromBlock: block,
      toBlock: block,
      strict: true,
    }),
  ])
  return withdrawals.reduce((sum, { args }) => sum + args.amount, after[1] - before[1])
}

/** A share of a slash names no batch: the dispute that was resolved in the same transaction does. */
async function noteReward(
  { chain, account, emit }: SettleDeps,
  event: Extract<ChainEvent, { eventName: "Rewarded" }>,
): Promise<void> {
  const { amount } = event.args
  const tx = event.transactionHash
  const { logs } = await chain.client.getTransactionReceipt({ hash: tx })
  const resolved = parseEventLogs({ abi: chain.jury.abi, eventName: "DisputeResolved", logs })
  for (const { args } of resolved) {
    const [dispute] = await chain.jury.read.disputeOf([args.disputeId])
    const role = isAddressEqual(dispute.verifier, account) ? "verifier" : "juror"
    return emit({ kind: "paid", batchId: args.batchId, role, amount, tx })
  }
  emit({ kind: "paid", batchId: 0n, role: "verifier", amount, tx })
}

const CAUSES = ["Worker", "Coordinator", "Nobody"] as const

async function noteVoid(deps: SettleDeps, event: Extract<ChainEvent, { eventName: "RangeVoided" }>): Promise<void> {
  const { chain, batches, emit } = deps
  const { batchId, cause } = event.args
  const tx = event.transactionHash
  const terms = await batches.terms(jobOfBatch(batchId))
  switch (CAUSES[cause]) {
    case "Worker": {
      const amount = terms ? await chain.market.read.collateralOf([terms]) : 0n
      const text = "a leaf of ours was found wrong: the range is unpaid and its collateral lost (R29)"
      emit({ kind: "slashed", amount, code: "WORKER_SLASHED", text, tx })
      return await moveBatch(deps, batchId, "void")
    }
    case "Coordinator":
      emit({ kind: "refused", code: "TASK_VOID_COORDINATOR", text: "the coordinator's fault voided our range (R26)" })
      return await moveBatch(deps, batchId, "open")
    default:
      emit({ kind: "refused", code: "TASK_VOID_NOBODY", text: "no majority of a jury: our range is void, not slashed" })
      return await moveBatch(deps, batchId, "void")
  }
}

async function moveBatch(
  { records, now }: SettleDeps,
  batchId: bigint,
  state: "open" | "void" | "lost",
  from: LeaseRecord["state"] = "committed",
): Promise<void> {
  for (const record of records.all()) {
    if (record.batchId !== batchId || record.state !== from) continue
    await records.put({ ...record, state, changedAt: Number(now()) })
  }
}

export function rangeOf({ batch }: CommittedBatch, account: Address): { index: number; range: Range } | undefined {
  const ranges = parseRanges(batch.ranges)
  const index = ranges.findIndex(({ worker }) => isAddressEqual(worker, account))
  return index < 0 ? undefined : { index, range: unpackRange(batch.ranges[index]!) }
}

function recordsIn(records: RecordStore, { batch }: CommittedBatch, { mask }: Range): LeaseRecord[] {
  const shards = new Set(bitsOf(mask).map((bit) => batch.firstShard + bit))
  return records.all().filter(({ bundle: { lease } }) => lease.jobId === batch.jobId && shards.has(lease.shard))
}

/** Reasons are short ASCII names in 32 bytes. */
function reasonText(reason: `0x${string}`): string {
  return Buffer.from(reason.slice(2), "hex").toString("latin1").replace(/\0+$/, "")
}
