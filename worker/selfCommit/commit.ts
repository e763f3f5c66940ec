import { type Address, isAddressEqual, type TypedDataDomain } from "viem"
import type { Signer } from "#protocol"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { refusedWith, type Sender } from "../chain/sender.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import type { SignedRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import { type CommitPlan, commitArgs, planReclaims, planSelfCommits } from "./plan.ts"
import { batchShard } from "./shards.ts"

export type SelfCommitDeps = {
  chain: Chain
  sender: Sender
  records: RecordStore
  batches: BatchBook
  signer: Signer
  domain: TypedDataDomain
  events: Events
  account: Address
  now: () => bigint
}

export type SelfCommitParams = {
  margin: bigint
  /** Where drawn verifiers will ask for their tasks; without it a commit of one's own could not be audited. */
  url: string | undefined
}

/** R18: commits what the coordinator left lying, and claims again what it lost. Any job survives its coordinator. */
export async function selfCommitDue(deps: SelfCommitDeps, { margin, url }: SelfCommitParams): Promise<void> {
  const { records, events, now } = deps
  const plans = planSelfCommits(records.all(), { now: now(), margin })
  const reclaims = planReclaims(records.all())
  if (plans.length + reclaims.length === 0) return
  if (url === undefined) {
    const text =
      "receipts wait to be committed without the coordinator, but there is no --public-url for verifiers (R18)"
    events.wait("self", "refused", "WORKER_NO_PUBLIC_URL", text)
    return
  }
  for (const plan of plans) await tell(deps, () => commitPlan(deps, plan, url))
  for (const { batchId, records: group } of reclaims) await tell(deps, () => reclaim(deps, { batchId, group, url }))
}

async function tell({ events }: SelfCommitDeps, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    events.wait("self", "refused", codeOf(error), `committing for ourselves: ${textOf(error)}`)
  }
}

/** BatchCommitted, which the watch sees, does the rest: a crash after the transaction loses nothing. */
async function commitPlan(deps: SelfCommitDeps, plan: CommitPlan, url: string): Promise<void> {
  const { chain, sender, account } = deps
  const { market } = chain
  const free = await dropTaken(deps, plan)
  if (free.length === 0) return
  const shards = await Promise.all(free.map((record) => batchShard(deps, record)))
  const { firstShard, root, range, dataHash } = commitArgs({ account, shards })
  const leases = shards.map(({ lease }) => lease)
  const signatures = shards.map(({ leaseSignature }) => leaseSignature)
  // The pair with the job's coordinator backs it: that is where this worker's collateral for the job lies already.
  const backer = plan.terms.coordinator
  try {
    await sender.send({
      address: market.address,
      abi: market.abi,
      functionName: "selfCommit",
      args: [plan.terms, plan.jobId, firstShard, root, range, dataHash, backer, leases, signatures, url],
    })
  } catch (error) {
    // Nobody can commit to this job any more: what is left is not worth keeping.
    if (refusedWith(error) === "JobOver") await markAll(deps, free, "lost")
    throw error
  }
}

/** Shards that are committed already, by whomever, cannot be committed again (R5). */
async function dropTaken(deps: SelfCommitDeps, { jobId, records }: CommitPlan): Promise<SignedRecord[]> {
  const { chain } = deps
  const words = new Map<number, bigint>()
  const free: SignedRecord[] = []
  for (const record of records) {
    const { shard } = record.bundle.lease
    const word = Math.floor(shard / 256)
    const bits = words.get(word) ?? (await chain.market.read.shardBits([jobId, BigInt(word)]))
    words.set(word, bits)
    if (((bits >> BigInt(shard % 256)) & 1n) === 0n) free.push(record)
    else if (!(await isCommittedForUs(deps, record))) await markAll(deps, [record], "lost")
  }
  return free
}

/** Our own commit may be on its way through the watch: then the record is about to change by itself. */
async function isCommittedForUs({ chain, account }: SelfCommitDeps, record: SignedRecord): Promise<boolean> {
  const { lease } = record.bundle
  const events = await chain.client.getContractEvents({
    address: chain.market.address,
    abi: chain.market.abi,
    eventName: "BatchCommitted",
    args: { jobId: lease.jobId },
    fromBlock: BigInt(chain.deployment.deployedBlock),
    strict: true,
  })
  return events.some(({ args: { batch } }) =>
    batch.ranges.some((word) => {
      const worker = `0x${(word >> 96n).toString(16).padStart(40, "0")}` as Address
      const bit = lease.shard - batch.firstShard
      return isAddressEqual(worker, account) && bit >= 0 && bit < 64 && ((word >> BigInt(bit)) & 1n) === 1n
    }),
  )
}

type ReclaimParams = { batchId: bigint; group: SignedRecord[]; url: string }

/** Within the claim period only this worker may commit the shards of a batch that its coordinator lost (R18). */
async function reclaim(deps: SelfCommitDeps, { batchId, group, url }: ReclaimParams): Promise<void> {
  const { chain, sender, batches, account, now } = deps
  const [lost, view] = await Promise.all([batches.batch(batchId), chain.market.read.batchOf([batchId])])
  if (!lost) return
  const { batch } = lost
  const claimable = group.filter(({ bundle: { lease } }) => {
    return ((view.claimable >> BigInt(lease.shard - batch.firstShard)) & 1n) === 1n
  })
  if (claimable.length === 0 || now() > BigInt(view.claimUntil)) return await markAll(deps, group, "lost")
  const shards = await Promise.all(claimable.map((record) => batchShard(deps, record)))
  const { firstShard, root, range, dataHash } = commitArgs({ account, shards }, batch.firstShard)
  const rangeIndex = batch.ranges.findIndex((word) => word >> 96n === BigInt(account))
  const { terms } = claimable[0]!.bundle
  const { market } = chain
  await sender.send({
    address: market.address,
    abi: market.abi,
    functionName: "reclaim",
    args: [terms, batch, BigInt(rangeIndex), firstShard, root, range, dataHash, terms.coordinator, url],
  })
}

async function markAll({ records, now }: SelfCommitDeps, group: readonly SignedRecord[], state: "lost"): Promise<void> {
  for (const record of group) await records.put({ ...record, state, changedAt: Number(now()) })
}
