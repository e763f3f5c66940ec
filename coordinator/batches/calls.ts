import { type Address, encodeFunctionData, type Hex } from "viem"
import { type Attestation, type Batch, marketAbi, type Terms } from "#protocol"
import type { OutboxCall } from "../chain/outbox/call.ts"

/**
 * The Market's calls in the order in which they help each other inside one multicall: what is final frees collateral
 * and bond, an attestation is urgent, a commit uses what was freed.
 */
const RANK = { finalize: 0, release: 1, draw: 2, attest: 3, commit: 4, refund: 5 } as const

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

export function withdrawCall(
  { market }: At,
  { batchId, terms, batch }: { batchId: bigint; terms: Terms; batch: Batch },
): OutboxCall {
  return {
    key: `withdraw:${batchId}:${batch.commitBlock}`,
    kind: "withdraw",
    to: market,
    maxAttempts: 3,
    data: encodeFunctionData({ abi: marketAbi, functionName: "withdrawBatch", args: [terms, batch] }),
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
