import type { PublicClient } from "viem"
import {
  type BatchEvent,
  type BatchStatus,
  batchLayout,
  type Deployment,
  isCodedError,
  PLANNED_BATCH,
  paidRanges,
  parseRanges,
  parseVerifiers,
  sampleCount,
  settle,
  stepBatch,
} from "#protocol"
import { type ChainEvent, type EventNamed, eventsNamed, type History } from "../chain/readHistory.ts"
import type { BatchRecord } from "../payouts/ledger.ts"
import { barredVerifiers } from "../payouts/ledger.ts"
import { type Check, check, notDone } from "./check.ts"

export type CheckStoryDeps = { chain: PublicClient; deployment: Deployment; history: History }

/**
 * R24a: the chain's events about one batch, in their order and at their times, must be a story that the rules allow;
 * and what finalize paid must be what the rules pay.
 */
export async function checkStory(deps: CheckStoryDeps, name: string, record: BatchRecord): Promise<Check[]> {
  const { chain, deployment, history } = deps
  const { batchId, batch } = record
  const times = deployment.params
  let status: BatchStatus = PLANNED_BATCH
  let told = 0
  for (const event of history.events) {
    if (!("batchId" in event.args) || event.args.batchId !== batchId) continue
    const now = await timeOf(chain, event.blockNumber)
    for (const step of stepsOf(event, { ranges: batch.ranges.length, until: now + times.clock })) {
      try {
        status = stepBatch(status, step, now, times)
        told++
      } catch (error) {
        if (!isCodedError(error)) throw error
        return [check(`${name}: states`, false, `${event.eventName} in ${event.transactionHash}: ${error.message}`)]
      }
    }
  }
  const states = check(`${name}: states`, true, `${told} steps, now ${status.state}`)
  const final = eventsNamed(history, "BatchFinalized").find(({ args }) => args.batchId === batchId)
  return [
    states,
    final ? checkPay(history, name, record, status, final) : notDone(`${name}: pay`, "it is not final yet"),
  ]
}

function checkPay(
  history: History,
  name: string,
  record: BatchRecord,
  status: BatchStatus,
  final: EventNamed<"BatchFinalized">,
): Check {
  const { batch, terms, attestation, batchId } = record
  const ranges = parseRanges(batch.ranges)
  const verifiers = parseVerifiers(attestation!.verifiers)
  const mask = ranges.reduce((all, range) => all | range.mask, 0n)
  const { size } = batchLayout({ plan: terms, firstShard: batch.firstShard, mask })
  const paid = paidRanges(status)
  const struck = eventsNamed(history, "VerifiersStruck")
    .filter(({ args }) => args.batchId === batchId)
    .reduce((all, { args }) => all | args.verifiers, 0n)
  const settled = settle({
    terms,
    ranges,
    verifiers,
    samples: sampleCount(terms.auditRate, size),
    unpaid: ~paid,
    struck,
    barred: barredVerifiers(history, { verifiers, coordinator: terms.coordinator, event: final }),
    selfCommitted: batch.committer.toLowerCase() !== terms.coordinator.toLowerCase(),
  })
  const { paidRanges: shown, audited } = final.args
  const ok = paid === shown && settled.auditSpent === audited
  const detail = `workers and coordinator ${settled.feesSpent}, verifiers ${settled.auditSpent}`
  if (ok) return check(`${name}: pay`, true, detail)
  return check(
    `${name}: pay`,
    false,
    `the chain paid ranges ${shown} and verifiers ${audited}; by the rules ${paid} and ${settled.auditSpent}`,
  )
}

/** What an event means to the batch's state; events about its shards or its data mean nothing to it. */
function stepsOf(event: ChainEvent, { ranges, until }: { ranges: number; until: number }): BatchEvent[] {
  switch (event.eventName) {
    case "BatchCommitted":
      return [{ type: "committed", ranges }]
    case "BatchWithdrawn":
      return [{ type: "withdrawn", seedExists: false }]
    case "BatchDrawn":
      return [{ type: "drawn" }]
    case "BatchAttested":
      return [{ type: "attested", silent: event.args.attestation.silentRanges }]
    case "BatchFinalized":
      return [{ type: "finalized" }]
    case "BatchForfeited":
      return [{ type: "forfeited" }]
    case "RangeFrozen":
      return [{ type: "rangeFrozen", range: Number(event.args.range) }]
    case "RangeVoided":
      return [{ type: "rangeVoided", range: Number(event.args.range) }]
    case "DemandOpened":
      return [{ type: "held" }]
    case "DemandAnswered":
      return [{ type: "dropped", until }]
    case "DemandExpired":
    case "DisputeResolved":
    case "DisputeEnded":
      return [{ type: "dropped", until: 0 }]
    default:
      return []
  }
}

async function timeOf(chain: PublicClient, blockNumber: bigint): Promise<number> {
  return Number((await chain.getBlock({ blockNumber })).timestamp)
}
