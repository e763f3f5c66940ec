import {
  type Attestation,
  type Batch,
  type BatchData,
  batchDataHash,
  buildShardTree,
  buildTopTree,
  committedRoot,
  disputeIdOf,
  leafPath,
  placeOf,
  type SignedVerdict,
  type Terms,
} from "#protocol"
import { isTransient, type Peer } from "../api/peer.ts"
import { getBatchData } from "../api/routes.ts"
import type { CommittedBatch } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { refusedWith, type Sender } from "../chain/sender.ts"
import type { ChainEvent } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import { retry } from "../support/retry.ts"
import { layoutOf } from "./draw.ts"

export type DefendDeps = { chain: Chain; sender: Sender; events: Events; signal: AbortSignal }
export type GivenVerdicts = { committed: CommittedBatch; terms: Terms; peer: Peer; verdicts: readonly SignedVerdict[] }

/**
 * R20: a mismatch found by any of the three candidates counts, whoever posts it. A committer may prefer another's
 * verdict, or none: so a verifier looks at the leaves once they are public, and posts its own finding if nobody did.
 */
export type VerdictDefence = { given(verdicts: GivenVerdicts): void; note(event: ChainEvent): void }

/** Leaves travel as one document; of larger batches only self-committed ones, which nobody else watches, are fetched. */
const MOST_LEAVES = 8192
const KEEP = 256

export function createVerdictDefence(deps: DefendDeps): VerdictDefence {
  const waiting = new Map<bigint, GivenVerdicts[]>()
  return {
    given(verdicts) {
      const { batchId } = verdicts.committed
      waiting.set(batchId, [...(waiting.get(batchId) ?? []), verdicts])
      if (waiting.size > KEEP) waiting.delete(waiting.keys().next().value!)
    },
    note(event) {
      if (event.eventName !== "BatchAttested") return
      const given = waiting.get(event.args.batchId)
      waiting.delete(event.args.batchId)
      const attestation = { ...event.args.attestation, verifiers: [...event.args.attestation.verifiers] }
      for (const verdicts of given ?? []) {
        defend(deps, verdicts, attestation).catch((error: unknown) => {
          if (!deps.signal.aborted) deps.events.wait("defend", "refused", codeOf(error), textOf(error))
        })
      }
    },
  }
}

async function defend(deps: DefendDeps, given: GivenVerdicts, attestation: Attestation): Promise<void> {
  const { committed, terms, verdicts } = given
  const { batch } = committed
  const layout = layoutOf(batch, terms)
  if (committed.url === "" && layout.size > MOST_LEAVES) return
  const data = await fetchLeaves(deps, given, attestation)
  if (!data) return
  for (const signed of verdicts) {
    const { ordinal, offset } = placeOf(layout, signed.verdict.position)
    const leaf = data.shards[ordinal]!.leaves[offset]!
    if (leaf.outputCommitment === signed.verdict.outputCommitment) continue
    await postMismatch(deps, { batch, terms, attestation, data, signed, ordinal, offset })
  }
}

/**
 * The data that the commit's hash names. A worker that withholds them for a batch of its own is made to show a leaf on
 * chain, or loses the range (R26).
 */
async function fetchLeaves(
  deps: DefendDeps,
  { committed, terms, peer, verdicts }: GivenVerdicts,
  attestation: Attestation,
): Promise<BatchData | undefined> {
  const { signal } = deps
  const { batch, batchId, dataHash } = committed
  try {
    const read = () => getBatchData(peer, batchId, signal)
    const retryable = (error: unknown) => isTransient(error) || codeOf(error) === "E_BATCH_NOT_PUBLIC"
    const data = await retry(read, { signal, attempts: 5, baseMs: 200, maxMs: 1000, retryable })
    const row = data.shards.map(({ receipt }) => ({ hash: receipt.shardRoot, units: receipt.units }))
    const isWhole = committedRoot(buildTopTree(row).root) === batch.root && batchDataHash(data) === dataHash
    if (!isWhole) throw workerError("E_PEER_MESSAGE", `the leaves of batch ${batchId} are not those committed to`)
    return data
  } catch (error) {
    if (signal.aborted) return undefined
    // A coordinator that is slow for one of its many peers is not made to answer on chain.
    if (committed.url !== "") {
      const { position } = verdicts[0]!.verdict
      await demandLeaf(deps, { batch, terms, attestation, position })
    }
    throw error
  }
}

type DemandParams = { batch: Batch; terms: Terms; attestation: Attestation; position: number }

async function demandLeaf({ chain, sender }: DefendDeps, params: DemandParams): Promise<void> {
  const { batch, terms, attestation, position } = params
  const { challenges } = chain
  // Not read from `depositOf`: nodes run calls without a price at a base fee of 0.
  const [{ baseFeePerGas }, gas] = await Promise.all([
    chain.client.getBlock({ blockTag: "pending" }),
    challenges.read.gasFigure([LEAF]),
  ])
  const deposit = 2n * (baseFeePerGas ?? 0n) * gas
  try {
    await sender.send({
      address: challenges.address,
      abi: challenges.abi,
      functionName: "demandLeaf",
      args: [terms, batch, attestation, position],
      // The base fee moves until it is mined; what is too much comes back.
      value: deposit * 2n,
    })
  } catch (error) {
    // Another verifier of the batch asked already.
    if (refusedWith(error) !== "DemandExists") throw error
  }
}

/** DemandKind of the contract. */
const LEAF = 0

type MismatchParams = {
  batch: Batch
  terms: Terms
  attestation: Attestation
  data: BatchData
  signed: SignedVerdict
  ordinal: number
  offset: number
}

export async function postMismatch(
  { chain, sender }: Pick<DefendDeps, "chain" | "sender">,
  params: MismatchParams,
): Promise<void> {
  const { batch, terms, attestation, data, signed, ordinal, offset } = params
  const { batchId, sample, verifier } = signed.verdict
  const [, { phase }] = await chain.jury.read.disputeOf([disputeIdOf({ batchId, sample, verifier })])
  // The committer posted it itself, as an honest one does.
  if (phase !== 0) return
  const { lease, leaseSignature, receipt, receiptSignature } = data.shards[ordinal]!
  const leaves = data.shards[ordinal]!.leaves.map(({ digestPart: _, ...leaf }) => ({ ...leaf, worker: lease.worker }))
  const shardTree = buildShardTree({ jobId: batch.jobId, shardSize: terms.shardSize, leaves })
  const row = data.shards.map((shard) => ({ hash: shard.receipt.shardRoot, units: shard.receipt.units }))
  const path = leafPath({ shardTree, topTree: buildTopTree(row), ordinal, offset })
  const evidence = { leaf: leaves[offset]!, path, lease, leaseSignature, receipt, receiptSignature }
  const { challenges } = chain
  await sender.send({
    address: challenges.address,
    abi: challenges.abi,
    functionName: "postMismatch",
    args: [terms, batch, attestation, evidence, signed.verdict, signed.signature],
  })
}
