import { type Address, isAddressEqual } from "viem"
import { bitsOf, type Lease, parseRanges } from "#protocol"
import type { Peer } from "../api/peer.ts"
import { getBatchData } from "../api/routes.ts"
import { type BatchBook, jobOfBatch } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { refusedWith, type Sender } from "../chain/sender.ts"
import type { ChainEvent, Head } from "../chain/watch.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import type { LeaseRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"

export type LeaseWatchDeps = {
  chain: Chain
  sender: Sender
  events: Events
  batches: BatchBook
  records: RecordStore
  account: Address
  peerOf: (url: string) => Peer | undefined
  signal: AbortSignal
}

/** R14: a shard that was ours, in a batch as another's, by a lease that overlaps ours: the standing bond answers for it. */
export type LeaseWatch = { note(event: ChainEvent): void; onHead(head: Head): void }

type SignedLease = { lease: Lease; signature: `0x${string}` }

export function createLeaseWatch(deps: LeaseWatchDeps): LeaseWatch {
  const claims = new Map<`0x${string}`, bigint>()

  function guarded(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!deps.signal.aborted) deps.events.wait("lease", "refused", codeOf(error), `two leases: ${textOf(error)}`)
    })
  }

  return {
    note(event) {
      if (event.eventName === "BatchAttested") guarded(look(deps, event.args.batchId))
      // Whoever claimed: the bond is paid out once the clock is over.
      if (event.eventName === "EquivocationClaimed") claims.set(event.args.claimId, BigInt(event.args.until))
      if (event.eventName === "EquivocationAnswered" || event.eventName === "EquivocationProved") {
        claims.delete(event.args.claimId)
      }
    },
    onHead({ timestamp }) {
      for (const [claimId, until] of claims) {
        if (timestamp <= until) continue
        claims.delete(claimId)
        guarded(settle(deps, claimId))
      }
    },
  }
}

/** Leaves and leases are public from the attestation on (R21). */
async function look(deps: LeaseWatchDeps, batchId: bigint): Promise<void> {
  const { batches, records, account, peerOf, signal } = deps
  const committed = await batches.batch(batchId)
  if (!committed) return
  const jobId = jobOfBatch(batchId)
  const others = parseRanges(committed.batch.ranges).filter(({ worker }) => !isAddressEqual(worker, account))
  const shards = new Set(others.flatMap(({ mask }) => [...bitsOf(mask)].map((bit) => committed.batch.firstShard + bit)))
  const mine = records.all().filter(({ bundle, state }) => {
    const { lease } = bundle
    return lease.jobId === jobId && shards.has(lease.shard) && state !== "released"
  })
  const peer = mine.length > 0 ? peerOf(committed.url) : undefined
  if (!peer) return
  const data = await getBatchData(peer, batchId, signal)
  for (const record of mine) {
    const other = data.shards.find(({ shard }) => shard === record.bundle.lease.shard)
    if (other) await claim(deps, record, { lease: other.lease, signature: other.leaseSignature })
  }
}

async function claim(deps: LeaseWatchDeps, { bundle }: LeaseRecord, other: SignedLease): Promise<void> {
  const { chain, sender, events } = deps
  const own: SignedLease = { lease: bundle.lease, signature: bundle.signature }
  const [first, second] = own.lease.start <= other.lease.start ? [own, other] : [other, own]
  if (second.lease.start >= first.lease.expiry) return
  const { jury } = chain
  const deposit = await jury.read.claimDeposit()
  try {
    await sender.send({
      address: jury.address,
      abi: jury.abi,
      functionName: "claimEquivocation",
      args: [first.lease, first.signature, second.lease, second.signature],
      // The base fee moves until it is mined; what is too much comes back.
      value: deposit * 2n,
    })
  } catch (error) {
    if (refusedWith(error) === "ClaimRefused") return
    throw error
  }
  const text = `shard ${own.lease.shard} was leased to ${other.lease.worker} and to us at once: claimed from the standing bond`
  events.emit({ kind: "refused", code: "EQUIVOCATION_CLAIMED", text })
}

async function settle({ chain, sender }: LeaseWatchDeps, claimId: `0x${string}`): Promise<void> {
  const { jury } = chain
  const call = { address: jury.address, abi: jury.abi, functionName: "settleEquivocation" } as const
  try {
    await sender.send({ ...call, args: [claimId] })
  } catch (error) {
    if (refusedWith(error) !== "ClaimRefused") throw error
  }
}
