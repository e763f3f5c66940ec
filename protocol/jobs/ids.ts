import { type Address, type Hex, toHex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"

export type JobIdParams = { chainId: number; market: Address; requester: Address; nonce: bigint }

const LOW_192 = (1n << 192n) - 1n
const BATCH_BITS = 32n

/** R1: the low 192 bits of `H(JOB, chain, market, requester, nonce)`. */
export function jobIdOf({ chainId, market, requester, nonce }: JobIdParams): bigint {
  checkUint("nonce", 64, nonce)
  return BigInt(hashWords(TAGS.job, chainId, market, requester, nonce)) & LOW_192
}

/** The ModelRegistry's hash of (chain, registry, owner, nonce), without a tag; `nonce` is the model's among its owner's. */
export function modelIdOf(model: { chainId: number; models: Address; owner: Address; nonce: number }): Hex {
  checkUint("nonce", 32, model.nonce)
  return hashWords(toHex(model.chainId, { size: 32 }), model.models, model.owner, model.nonce)
}

/** The jobs of a model's run are told by their nonces: the model's is the upper half, the job's index in the run the lower. */
export function runNonce({ model, index }: RunPlace): bigint {
  checkUint("model", 32, model)
  checkUint("index", 32, index)
  return (BigInt(model) << 32n) | BigInt(index)
}
export function splitRunNonce(nonce: bigint): RunPlace {
  checkUint("nonce", 64, nonce)
  return { model: Number(nonce >> 32n), index: Number(nonce & 0xffffffffn) }
}
export type RunPlace = { model: number; index: number }

/** 24 bytes of hex: how a job is written in paths, logs, files and databases. */
export function formatJobId(jobId: bigint): Hex {
  checkUint("jobId", 192, jobId)
  return `0x${jobId.toString(16).padStart(48, "0")}`
}

export function batchIdOf(jobId: bigint, number: number): bigint {
  checkUint("jobId", 192, jobId)
  checkUint("number", 32, number)
  return (jobId << BATCH_BITS) | BigInt(number)
}

export function splitBatchId(batchId: bigint): { jobId: bigint; number: number } {
  checkUint("batchId", 224, batchId)
  return { jobId: batchId >> BATCH_BITS, number: Number(batchId & 0xffffffffn) }
}

/** 28 bytes of hex. */
export function formatBatchId(batchId: bigint): Hex {
  checkUint("batchId", 224, batchId)
  return `0x${batchId.toString(16).padStart(56, "0")}`
}

export function disputeIdOf({
  batchId,
  sample,
  verifier,
}: {
  batchId: bigint
  sample: number
  verifier: Address
}): bigint {
  checkUint("sample", 32, sample)
  return BigInt(hashWords(TAGS.dispute, batchId, sample, verifier))
}

export function demandIdOf({ batchId, kind, position }: { batchId: bigint; kind: number; position: number }): Hex {
  checkUint("kind", 8, kind)
  checkUint("position", 32, position)
  return hashWords(TAGS.demand, batchId, kind, position)
}

/** How a juror seals a vote until the reveal (R28). */
export function voteHash(vote: { disputeId: bigint; juror: Address; outputCommitment: Hex; salt: Hex }): Hex {
  return hashWords(TAGS.vote, vote.disputeId, vote.juror, vote.outputCommitment, vote.salt)
}
