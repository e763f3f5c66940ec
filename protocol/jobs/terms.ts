import type { Address, Hex } from "viem"
import { TAGS } from "../hashing/tags.ts"
import { checkUint } from "../hashing/uint.ts"
import { hashWords } from "../hashing/words.ts"

/** R1. Field order and widths are those of the Solidity struct; money is in the token's smallest unit. */
export type Terms = {
  readonly version: number
  readonly kind: number
  readonly requester: Address
  readonly coordinator: Address
  readonly class: number
  readonly capability: Hex
  readonly programRoot: Hex
  readonly inputs: Hex
  readonly tasks: number
  readonly shardSize: number
  readonly fee: bigint
  readonly maxUnits: number
  readonly auditRate: number
  readonly auditRatio: number
  readonly auditBase: bigint
  readonly auditBudget: bigint
  readonly coordinatorFee: bigint
  readonly valueAtRisk: bigint
  readonly deadline: bigint
  readonly specHash: Hex
}

/** Of new jobs: `programRoot` is that of a program, and the dispute game judges. A jury judges jobs of version 0. */
export const TERMS_VERSION = 1
export const JOB_KINDS = { batch: 0, session: 1, training: 2 } as const
export const JOB_CLASSES = { exact: 0, tolerant: 1 } as const
export type JobClass = keyof typeof JOB_CLASSES

export const MAX_SHARD_SIZE = 1024
export const MAX_BATCH_SHARDS = 64
/** The contract counts final shards in 22 bits. */
export const MAX_JOB_SHARDS = 2 ** 22 - 1

const WIDTHS = {
  version: 8,
  kind: 8,
  class: 8,
  tasks: 32,
  shardSize: 16,
  fee: 96,
  maxUnits: 32,
  auditRate: 16,
  auditRatio: 16,
  auditBase: 96,
  auditBudget: 96,
  coordinatorFee: 96,
  valueAtRisk: 96,
  deadline: 64,
} as const

/** The one hash that the Market stores of a job. */
export function termsHash(terms: Terms): Hex {
  for (const [name, bits] of Object.entries(WIDTHS)) checkUint(name, bits, terms[name as keyof typeof WIDTHS])
  return hashWords(
    TAGS.terms,
    terms.version,
    terms.kind,
    terms.requester,
    terms.coordinator,
    terms.class,
    terms.capability,
    terms.programRoot,
    terms.inputs,
    terms.tasks,
    terms.shardSize,
    terms.fee,
    terms.maxUnits,
    terms.auditRate,
    terms.auditRatio,
    terms.auditBase,
    terms.auditBudget,
    terms.coordinatorFee,
    terms.valueAtRisk,
    terms.deadline,
    terms.specHash,
  )
}
