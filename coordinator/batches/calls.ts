import { type Address, encodeFunctionData, type Hex } from "viem"
import { type Attestation, type Batch, marketAbi, type Terms } from "#protocol"
import type { OutboxCall } from "../chain/outbox/call.ts"

/**
 * The Market's calls in the order in which they help each other inside one multicall: what is final frees collateral
 * and bond, an attestation is urgent, a commit uses what was freed.
 */
const RANK = { finalize: 0, forfeit: 1, release: 2, draw: 3, attest: 4, commit: 5, refund: 6 } as const

type At = { market: Address }

export function commitCall(
  { market }: At,
  params: {
    planId: number
    terms: Terms
    jobId: bigint
    firstShard: number
    root: Hex
    ranges: bigint[]
    dataHash: Hex
  },
): OutboxCall {
  const { planId, terms, jobId, firstShard, root, ranges, dataHash } = params
  return {
    key: `commit:${planId}`,
    kind: "commit",
    to: market,
    rank: RANK.commit,
    maxAttempts: 6,
    data: encodeFunctionData({
      abi: marketAbi,
      functionName: "commitBatch",
      args: [terms, jobId, firstShard, root, ranges, dataHash],
    }),
  }
}

export type AttestParams = {
  batchId: bigint
  terms: Terms
  batch: Batch
  /** 0 unless somebody drew before. */
  seed: Hex
  verdictRoot: Hex
  verifiers: bigint[]
  silentRanges: bigint
}

export function attestCall({ market }: At, params: AttestParams): OutboxCall {
  const { batchId, terms, batch, seed, verdictRoot, verifiers, silentRanges } = params
  return {
    // Another root is another call: after a reorg the seed, and with it the verdicts, may be others.
    key: `attest:${batchId}:${verdictRoot}:${seed}`,
    kind: "attest",
    to: market,
    rank: RANK.attest,
    maxAttempts: 12,
    data: encodeFunctionData({
      abi: marketAbi,
      functionName: "attest",
      args: [terms, batch, seed, verdictRoot, verifiers, silentRanges],
    }),
  }
}

export function drawCall({ market }: At, { batchId, batch }: { batchId: bigint; batch: Batch }): OutboxCall {
  return {
    key: `draw:${batchId}:${batch.commitBlock}`,
    kind: "draw",
    to: market,
    rank: RANK.draw,
    maxAttempts: 4,
    data: encodeFunctionData({ abi: marketAbi, functionName: "draw", args: [batch] }),
  }
}

export type EndParams = { batchId: bigint; terms: Terms; batch: Batch; attestation: Attestation; attempt: number }

export function finalizeCall({ market }: At, { batchId, terms, batch, attestation, attempt }: EndParams): OutboxCall {
  return {
    key: `finalize:${batchId}:${attempt}`,
    kind: "finalize",
    to: market,
    rank: RANK.finalize,
    data: encodeFunctionData({ abi: marketAbi, functionName: "finalize", args: [terms, batch, attestation] }),
  }
}

export function releaseCall(
  { market }: At,
  { batchId, terms, batch, attempt }: Omit<EndParams, "attestation">,
): OutboxCall {
  return {
    key: `release:${batchId}:${attempt}`,
    kind: "release",
    to: market,
    rank: RANK.release,
    data: encodeFunctionData({ abi: marketAbi, functionName: "release", args: [terms, batch] }),
  }
}

/** R24a: nobody can attest it any more; collateral comes free, and shards for their workers, then for all. */
export function forfeitCall(
  { market }: At,
  { batchId, terms, batch, seed, attempt }: Omit<EndParams, "attestation"> & { seed: Hex },
): OutboxCall {
  return {
    key: `forfeit:${batchId}:${attempt}`,
    kind: "forfeit",
    to: market,
    rank: RANK.forfeit,
    data: encodeFunctionData({ abi: marketAbi, functionName: "forfeit", args: [terms, batch, seed] }),
  }
}

export function refundCall(
  { market }: At,
  { jobId, terms, attempt }: { jobId: bigint; terms: Terms; attempt: number },
): OutboxCall {
  return {
    key: `refund:${jobId}:${attempt}`,
    kind: "refund",
    to: market,
    rank: RANK.refund,
    maxAttempts: 4,
    data: encodeFunctionData({ abi: marketAbi, functionName: "refund", args: [jobId, terms] }),
  }
}
