import type { Address, Hex } from "viem"
import {
  type Attestation,
  auditPay,
  type Batch,
  bitsOf,
  collateralUp,
  type Deployment,
  parseRanges,
  parseVerifiers,
  popCount,
  type Terms,
  verdictCollateralUp,
} from "#protocol"
import { type EventNamed, eventsNamed, type History, isBefore } from "../chain/readHistory.ts"

/** One reason why an account has more or less, as the contracts decided it. Amounts in the token's smallest unit. */
export type LedgerEntry = {
  readonly account: Address
  /** Whose pair slot it is booked in. */
  readonly coordinator: Address
  readonly kind: "work" | "audit" | "coordination" | "reward" | "refund" | "bond" | "slashed"
  readonly amount: bigint
  readonly batchId: bigint | undefined
  readonly jobId: bigint | undefined
  /** Tasks paid (work), verdicts paid (audit). */
  readonly tasks: number
  readonly tx: Hex
  readonly at: { readonly blockNumber: bigint; readonly logIndex: number }
}

export type BatchRecord = {
  readonly batchId: bigint
  readonly terms: Terms
  readonly batch: Batch
  readonly attestation: Attestation | undefined
}

/** What each final batch paid to whom, by the rules of finalize (R23, R24, R30), from the chain's events alone. */
export function buildLedger(history: History, deployment: Deployment): LedgerEntry[] {
  const batches = readBatches(history)
  return [
    ...eventsNamed(history, "BatchFinalized").flatMap((event) => finalizeEntries(history, deployment, batches, event)),
    ...eventsNamed(history, "BatchForfeited").flatMap((event) => {
      const record = batches.get(event.args.batchId)!
      const { committer, backer } = record.batch
      return lossOf(deployment, record, {
        account: committer,
        coordinator: backer,
        ranges: openRanges(history, record, event),
        event,
      })
    }),
    ...eventsNamed(history, "RangeVoided").flatMap((event) => {
      const record = batches.get(event.args.batchId)!
      const { committer, backer } = record.batch
      const { worker, cause } = event.args
      if (cause === CAUSE.nobody) return []
      const loser =
        cause === CAUSE.worker ? { account: worker, coordinator: backer } : { account: committer, coordinator: backer }
      return lossOf(deployment, record, { ...loser, ranges: 1, event })
    }),
    ...eventsNamed(history, "SeatSlashed").map((event): LedgerEntry => {
      const { account, coordinator, amount } = event.args
      return {
        account,
        coordinator,
        kind: "slashed",
        amount,
        batchId: undefined,
        jobId: undefined,
        tasks: 0,
        ...placeOf(event),
      }
    }),
    ...eventsNamed(history, "Rewarded").map((event): LedgerEntry => {
      const { account, coordinator, amount } = event.args
      return {
        account,
        coordinator,
        kind: "reward",
        amount,
        batchId: undefined,
        jobId: undefined,
        tasks: 0,
        ...placeOf(event),
      }
    }),
    ...eventsNamed(history, "JobRefunded").map((event): LedgerEntry => {
      const posted = eventsNamed(history, "JobPosted").find(({ args }) => args.jobId === event.args.jobId)!
      const { requester: account, coordinator, jobId } = posted.args
      return {
        account,
        coordinator,
        kind: "refund",
        amount: event.args.amount,
        batchId: undefined,
        jobId,
        tasks: 0,
        ...placeOf(event),
      }
    }),
    ...bondEntries(history, deployment, batches),
  ].sort((a, b) => (isBefore(a.at, b.at) ? -1 : 1))
}

const GAME = { mismatch: 1, upheld: 2 } as const

/** What stands behind each find: C_v of the challenger's, who loses it or has it back. */
export function findBonds(history: History, deployment: Deployment, batches: Map<bigint, BatchRecord>) {
  return eventsNamed(history, "DisputeOpened").flatMap(({ args }) => {
    // The jury's disputes, of an older deployment, have no bond: the verifier's seat stands behind them.
    if (!("dispute" in args) || args.dispute.kind === GAME.mismatch) return []
    const record = batches.get(args.batchId)!
    const amount = verdictCollateralUp(record.terms, deployment.params)
    return { disputeId: args.disputeId, record, challenger: args.dispute.challenger, amount }
  })
}

function bondEntries(history: History, deployment: Deployment, batches: Map<bigint, BatchRecord>): LedgerEntry[] {
  return findBonds(history, deployment, batches).flatMap(({ disputeId, record, challenger, amount }) => {
    const ended = eventsNamed(history, "DisputeEnded").find(({ args }) => args.disputeId === disputeId)
    if (!ended) return []
    const { terms, batch, batchId } = record
    const kind = ended.args.outcome === GAME.upheld ? "slashed" : "bond"
    const place = placeOf(ended)
    return {
      account: challenger,
      coordinator: terms.coordinator,
      kind,
      amount,
      batchId,
      jobId: batch.jobId,
      tasks: 0,
      ...place,
    }
  })
}

/** Causes of a void as the contract numbers them. */
export const CAUSE = { worker: 0, coordinator: 1, nobody: 2 } as const

export function readBatches(history: History): Map<bigint, BatchRecord> {
  const terms = new Map(eventsNamed(history, "JobPosted").map(({ args }) => [args.jobId, args.terms as Terms]))
  const attestations = new Map(
    eventsNamed(history, "BatchAttested").map(({ args }) => [args.batchId, args.attestation as Attestation]),
  )
  const committed = eventsNamed(history, "BatchCommitted").map(({ args }): [bigint, BatchRecord] => {
    const { batchId, jobId, batch } = args
    return [
      batchId,
      { batchId, terms: terms.get(jobId)!, batch: batch as Batch, attestation: attestations.get(batchId) },
    ]
  })
  return new Map(committed)
}

function finalizeEntries(
  history: History,
  deployment: Deployment,
  batches: Map<bigint, BatchRecord>,
  event: EventNamed<"BatchFinalized">,
): LedgerEntry[] {
  const record = batches.get(event.args.batchId)!
  const { terms, batch, attestation } = record
  const { backer, committer, jobId } = batch
  const ranges = parseRanges(batch.ranges)
  const paid = bitsOf(event.args.paidRanges).map((i) => ranges[i]!)
  const shared = { batchId: record.batchId, jobId, ...placeOf(event) }
  const work = paid.map(
    ({ worker, units, mask }): LedgerEntry => ({
      ...shared,
      account: worker,
      coordinator: backer,
      kind: "work",
      amount: BigInt(units) * terms.fee,
      tasks: tasksOf(terms, batch.firstShard, mask),
    }),
  )
  const struck = eventsNamed(history, "VerifiersStruck").find(({ args }) => args.batchId === record.batchId)
  const audits = parseVerifiers(attestation!.verifiers)
    .filter((_, i) => ((struck?.args.verifiers ?? 0n) >> BigInt(i)) % 2n === 0n)
    .filter(({ verifier }) => !isBarred(history, { account: verifier, coordinator: terms.coordinator, event }))
    .map(
      ({ verifier, count, units }): LedgerEntry => ({
        ...shared,
        account: verifier,
        coordinator: terms.coordinator,
        kind: "audit",
        amount: auditPay(terms, units),
        tasks: count,
      }),
    )
  const paidUnits = paid.reduce((sum, { units }) => sum + BigInt(units), 0n)
  const own = committer.toLowerCase() === terms.coordinator.toLowerCase()
  const coordination: LedgerEntry[] =
    own && paidUnits * terms.coordinatorFee > 0n
      ? [
          {
            ...shared,
            account: committer,
            coordinator: backer,
            kind: "coordination",
            amount: paidUnits * terms.coordinatorFee,
            tasks: 0,
          },
        ]
      : []
  // What finalize counts as void without an event of its own are silent ranges: each costs its share of the bond.
  const silent = popCount(event.args.voidedRanges) - voidedBefore(history, record.batchId, event).length
  const losses = lossOf(deployment, record, { account: committer, coordinator: backer, ranges: silent, event })
  return [...work, ...audits, ...coordination, ...losses]
}

/** Lower-case addresses of those whose pair slot with the coordinator was barred when the batch was finalized (R13). */
export function barredVerifiers(
  history: History,
  params: { verifiers: readonly { verifier: Address }[]; coordinator: Address; event: EventNamed<"BatchFinalized"> },
): Set<string> {
  const { verifiers, coordinator, event } = params
  const barred = verifiers.filter(({ verifier }) => isBarred(history, { account: verifier, coordinator, event }))
  return new Set(barred.map(({ verifier }) => verifier.toLowerCase()))
}

function isBarred(
  history: History,
  { account, coordinator, event }: { account: Address; coordinator: Address; event: EventNamed<"BatchFinalized"> },
): boolean {
  const of = (args: { account: Address; coordinator: Address }) =>
    same(args.account, account) && same(args.coordinator, coordinator)
  const before = (other: { blockNumber: bigint; logIndex: number }) => isBefore(other, event)
  const slashed = eventsNamed(history, "SeatSlashed").filter(
    (e) => of(e.args) && isFalseVerdict(e.args.reason) && before(e),
  )
  const cleared = eventsNamed(history, "FlagCleared").filter((e) => of(e.args) && before(e))
  const last = slashed.at(-1)
  return last !== undefined && !cleared.some((e) => isBefore(last, e))
}

/** A silent juror loses a little and is not barred; a false verdict bars (R13). */
function isFalseVerdict(reason: Hex): boolean {
  return !Buffer.from(reason.slice(2), "hex").toString("ascii").startsWith("silent")
}

function voidedBefore(history: History, batchId: bigint, event: { blockNumber: bigint; logIndex: number }) {
  return eventsNamed(history, "RangeVoided").filter((e) => e.args.batchId === batchId && isBefore(e, event))
}

function openRanges(history: History, { batchId, batch }: BatchRecord, event: EventNamed<"BatchForfeited">): number {
  const charged = voidedBefore(history, batchId, event).filter(({ args }) => args.cause === CAUSE.coordinator)
  return batch.ranges.length - charged.length
}

function lossOf(
  deployment: Deployment,
  { terms, batch, batchId }: BatchRecord,
  loss: {
    account: Address
    coordinator: Address
    ranges: number
    event: { transactionHash: Hex; blockNumber: bigint; logIndex: number }
  },
): LedgerEntry[] {
  if (loss.ranges === 0) return []
  const amount = BigInt(loss.ranges) * collateralUp(terms, deployment.params)
  const { account, coordinator, event } = loss
  return [{ account, coordinator, kind: "slashed", amount, batchId, jobId: batch.jobId, tasks: 0, ...placeOf(event) }]
}

function tasksOf(terms: Terms, firstShard: number, mask: bigint): number {
  const last = Math.ceil(terms.tasks / terms.shardSize) - 1
  return bitsOf(mask).reduce((sum, bit) => {
    const lacking = firstShard + bit === last ? (last + 1) * terms.shardSize - terms.tasks : 0
    return sum + terms.shardSize - lacking
  }, 0)
}

function placeOf(event: { transactionHash: Hex; blockNumber: bigint; logIndex: number }) {
  return { tx: event.transactionHash, at: { blockNumber: event.blockNumber, logIndex: event.logIndex } }
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
