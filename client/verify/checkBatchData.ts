import { isAddressEqual, type PublicClient } from "viem"
import {
  type Batch,
  type BatchData,
  type BatchLayout,
  type BatchShard,
  batchDataHash,
  bitsOf,
  buildShardTree,
  buildTopTree,
  committedRoot,
  type Deployment,
  leaseHash,
  type MessageName,
  marketDomain,
  parseRanges,
  recoverSigner,
  registryAbi,
  type SignParams,
  type SumNode,
  shardTasks,
} from "#protocol"
import { type Check, check, checkAll } from "./check.ts"

export type CheckBatchDataDeps = { chain: PublicClient; deployment: Deployment }
export type CheckBatchDataParams = {
  name: string
  batch: Batch
  layout: BatchLayout
  coordinator: `0x${string}`
  dataHash: string
  data: BatchData
}

/** Leaves make the committed root, and everyone whose name stands there has signed (R4, R5, R8, R14). */
export async function checkBatchData(deps: CheckBatchDataDeps, params: CheckBatchDataParams): Promise<Check[]> {
  const { name, batch, layout, data, dataHash } = params
  const ranges = parseRanges(batch.ranges)
  const row = data.shards.map((shard) => shardRoot(batch, layout, shard))
  const present =
    data.shards.length === layout.shards.length && data.shards.every(({ shard }, i) => shard === layout.shards[i])
  const root = present ? committedRoot(buildTopTree(row).root) : undefined
  return [
    check(`${name}: data`, batchDataHash(data) === dataHash, `the commit names ${dataHash}`),
    checkAll(
      `${name}: tasks`,
      data.shards,
      ({ shard, leaves }) => {
        const { first, count } = shardTasks(layout.plan, shard)
        const complete = leaves.length === count && leaves.every((leaf, i) => leaf.taskIndex === first + i)
        return complete ? undefined : `shard ${shard} does not hold its tasks ${first} to ${first + count - 1}`
      },
      "shards hold each of their tasks once",
    ),
    check(`${name}: root`, root === batch.root, present ? `leaves make ${root}` : "the data lack shards of the batch"),
    checkAll(
      `${name}: units`,
      ranges,
      ({ worker, units, mask }) => {
        const shards = bitsOf(mask).map((bit) => batch.firstShard + bit)
        const sum = row
          .filter((_, i) => shards.includes(data.shards[i]!.shard))
          .reduce((total, node) => total + node.units, 0n)
        const own = data.shards
          .filter(({ shard }) => shards.includes(shard))
          .every(({ lease }) => isAddressEqual(lease.worker, worker))
        return sum === BigInt(units) && own
          ? undefined
          : `range of ${worker} claims ${units} units, its leaves have ${sum}`
      },
      "ranges have the units of their leaves",
    ),
    await checkSignatures(deps, params, row),
  ]
}

function shardRoot(batch: Batch, layout: BatchLayout, { lease, leaves }: BatchShard): SumNode {
  const full = leaves.map((leaf) => ({ ...leaf, worker: lease.worker }))
  return buildShardTree({ jobId: batch.jobId, shardSize: layout.plan.shardSize, leaves: full }).root
}

async function checkSignatures(
  { chain, deployment }: CheckBatchDataDeps,
  { name, batch, data, coordinator }: CheckBatchDataParams,
  row: readonly SumNode[],
): Promise<Check> {
  const domain = marketDomain({ chainId: deployment.chainId, market: deployment.contracts.market })
  const signedBy = async <K extends MessageName>(params: Omit<SignParams<K>, "domain">, signature: string) => {
    const signer = await recoverSigner({ ...params, domain, signature } as Parameters<typeof recoverSigner<K>>[0])
    return signer && accountOf({ chain, deployment }, signer, batch.commitBlock)
  }
  const faults = await Promise.all(
    data.shards.map(async (shard, i) => {
      const { lease, leaseSignature, receipt, receiptSignature } = shard
      const leaser = await signedBy({ type: "Lease", message: lease }, leaseSignature)
      if (!leaser || !isAddressEqual(leaser, coordinator))
        return `the lease of shard ${shard.shard} is not the coordinator's`
      const worker = await signedBy({ type: "Receipt", message: receipt }, receiptSignature)
      if (!worker || !isAddressEqual(worker, lease.worker))
        return `the receipt of shard ${shard.shard} is not its worker's`
      const bound =
        receipt.leaseHash === leaseHash(lease) && receipt.shardRoot === row[i]!.hash && receipt.units === row[i]!.units
      return bound && lease.jobId === batch.jobId
        ? undefined
        : `the receipt of shard ${shard.shard} is for other leaves`
    }),
  )
  const fault = faults.find((one) => one !== undefined)
  return check(`${name}: signatures`, fault === undefined, fault ?? `${data.shards.length} leases and receipts`)
}

/** Whose session key it was when the batch was committed (R8). */
export async function accountOf(
  { chain, deployment }: CheckBatchDataDeps,
  key: `0x${string}`,
  atBlock: bigint,
): Promise<`0x${string}`> {
  const address = deployment.contracts.registry
  return chain.readContract({ address, abi: registryAbi, functionName: "accountOf", args: [key, atBlock] })
}
