import { setTimeout as sleep } from "node:timers/promises"
import type { PublicClient } from "viem"
import { type History, readHistory } from "#client"
import { bitsOf, type Deployment, formatAmount, parseRanges, parseVerifiers, popCount } from "#protocol"
import type { Story } from "./story.ts"

const POLL_MS = 500

type ChainStoryDeps = { chain: PublicClient; deployment: Deployment; story: Story }

/** Tells what happens on the chain as it happens, from its events alone. @returns how to end it, once all is told */
export function tellChain({ chain, deployment, story }: ChainStoryDeps): () => Promise<void> {
  const stop = new AbortController()
  let told = 0
  const disputes = firstDisputes()
  const look = async () => {
    const { events } = await readHistory(chain, deployment)
    for (const event of events.slice(told)) if (disputes(event)) tellEvent(story, event)
    told = events.length
  }
  const run = async () => {
    while (!stop.signal.aborted) {
      // A moment without an answer is no end of the story: the next look tells what was missed.
      await look().catch(() => {})
      await sleep(POLL_MS, undefined, { signal: stop.signal }).catch(() => {})
    }
  }
  const running = run()
  return async () => {
    stop.abort()
    await running
    await look()
  }
}

/** A range with one wrong leaf mostly has more: the first dispute of each is told, the others end the same way. */
function firstDisputes(): (event: History["events"][number]) => boolean {
  const ranges = new Set<string>()
  const told = new Set<bigint>()
  return (event) => {
    if (event.eventName === "DisputeOpened") {
      const { rangeIndex } = "dispute" in event.args ? event.args.dispute : event.args
      const range = `${event.args.batchId}/${rangeIndex}`
      if (!ranges.has(range)) told.add(event.args.disputeId)
      ranges.add(range)
      return told.has(event.args.disputeId)
    }
    if (event.eventName === "ElementJudged" || event.eventName === "DisputeEnded") return told.has(event.args.disputeId)
    return true
  }
}

/** As the contracts number them. */
const OUTCOMES = ["not over", "the answer is refuted", "the answer stands: the accuser loses", "it cannot be judged"]
const CAUSES = ["its own fault", "the coordinator's fault", "nobody's fault"]

function tellEvent({ tell, nameOf }: Story, event: History["events"][number]): void {
  switch (event.eventName) {
    case "BatchCommitted": {
      const { batch } = event.args
      const ranges = parseRanges(batch.ranges)
      const who = ranges.map(({ worker, mask }) => `${nameOf(worker)} ${popCount(mask)}`).join(", ")
      tell(
        "commit",
        `batch ${batch.number}: one root for ${ranges.reduce((sum, { units }) => sum + units, 0)} results (shards: ${who}); collateral is locked`,
      )
      return
    }
    case "BatchDrawn":
      tell("draw", `the beacon has spoken: which leaves are computed again, and by whom, nobody could choose`)
      return
    case "BatchAttested": {
      const verifiers = parseVerifiers(event.args.attestation.verifiers)
      tell(
        "audit",
        `${verifiers.map(({ verifier, count }) => `${nameOf(verifier)} signed ${count} verdicts`).join(", ")}`,
      )
      return
    }
    case "DisputeOpened":
      if ("dispute" in event.args) {
        const { challenger, position } = event.args.dispute
        const who = nameOf(event.args.defendant)
        tell("catch", `${nameOf(challenger)} found another answer at position ${position}: ${who} must show its work`)
      }
      return
    case "TracePublished":
      tell("trace", "the accused publishes the hashes of every step of its computation")
      return
    case "ElementJudged":
      tell("judge", "the contract computed the disputed number itself")
      return
    case "DisputeEnded":
      tell(
        "judge",
        `${OUTCOMES[event.args.outcome]} (${Buffer.from(event.args.reason.slice(2), "hex").toString().replaceAll("\0", "")})`,
      )
      return
    case "RangeVoided":
      tell(
        "slash",
        `${nameOf(event.args.worker)} gets nothing for its whole range of the batch, by ${CAUSES[event.args.cause] ?? "a fault"}; the shards are queued again`,
      )
      return
    case "Burned":
      tell("slash", `${formatAmount(event.args.amount)} of the collateral are burned`)
      return
    case "Rewarded":
      tell("reward", `${nameOf(event.args.account)} gets ${formatAmount(event.args.amount)} of it`)
      return
    case "SeatSlashed":
      tell("slash", `${nameOf(event.args.account)} loses ${formatAmount(event.args.amount)} of its stake`)
      return
    case "BatchFinalized":
      tell(
        "pay",
        `${bitsOf(event.args.paidRanges).length} ranges are paid, ${bitsOf(event.args.voidedRanges).length} void; audits cost ${formatAmount(event.args.audited)}`,
      )
      return
    case "Withdrawn":
      tell("withdraw", `${nameOf(event.args.account)} takes ${formatAmount(event.args.amount)}`)
      return
    default:
      return
  }
}
