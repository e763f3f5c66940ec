import { collateralUp, escrow, feeEscrow, type Info, type Terms } from "#protocol"

export type Quote = {
  /** Escrow that pays work, and that pays audits; amounts in the token's smallest unit. */
  readonly fee: bigint
  readonly auditBudget: bigint
  readonly escrow: bigint
  /** What each worker must have free for one batch. */
  readonly collateral: bigint
  readonly seats: number
  /** Share of the seats that the largest owner holds: 1 in the worst case. */
  readonly largestOwner: number
  readonly workers: Info["workers"]
  readonly tasks: number
  readonly shards: number
  readonly shardSize: number
  /** A batch costs the same gas for 64 tasks as for thousands. */
  readonly warnings: readonly string[]
}

const FEW_TASKS = 1024

export function quoteJob(info: Info, terms: Terms): Quote {
  const capability = info.capabilities.find((one) => one.capability === terms.capability)
  const warnings: string[] = []
  if (terms.tasks < FEW_TASKS) {
    warnings.push(
      `${terms.tasks} tasks: below ${FEW_TASKS} the gas of a batch is shared by few; put more tasks into one job`,
    )
  }
  const largestOwner = capability?.seats ? capability.largestOwnerSeats / capability.seats : 1
  if (largestOwner * 10_000 > info.params.colluding) {
    warnings.push(
      `one owner holds ${Math.round(largestOwner * 100)} % of the seats; the collateral is reckoned for ${info.params.colluding / 100} % that collude`,
    )
  }
  return {
    fee: feeEscrow(terms),
    auditBudget: terms.auditBudget,
    escrow: escrow(terms),
    collateral: collateralUp(terms, info.params),
    seats: capability?.seats ?? 0,
    largestOwner,
    workers: info.workers,
    tasks: terms.tasks,
    shards: Math.ceil(terms.tasks / terms.shardSize),
    shardSize: terms.shardSize,
    warnings,
  }
}
