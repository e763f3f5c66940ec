import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import { isSigned, type LeaseRecord } from "../records/record.ts"
import { pause } from "../support/sleep.ts"
import { type DeliverDeps, deliverResult } from "./deliverResult.ts"
import { type GiveBackDeps, giveBack } from "./giveBack.ts"

const EVERY_MS = 5000
/** The upload stage has its turn first. */
const GRACE_SECONDS = 10

/** Delivers again what could not be delivered: after a coordinator's silence, or a restart of this worker. */
export async function resendLoop(deps: DeliverDeps & { events: Events }, signal: AbortSignal): Promise<void> {
  const { records, events, now } = deps
  while (!signal.aborted) {
    const due = records
      .all()
      .filter(({ state, changedAt }) => state === "signed" && Number(now()) - changedAt > GRACE_SECONDS)
    for (const record of due) {
      if (signal.aborted || !isSigned(record)) break
      try {
        await deliverResult(deps, { record, attempts: 1, signal })
        const { jobId, shard } = record.bundle.lease
        const { leaseHash, units } = record.result.receipt
        events.emit({ kind: "receipt", jobId, shard, leaseHash, units: Number(units) })
        events.resume("resend")
      } catch (error) {
        if (!signal.aborted) events.wait("resend", "refused", codeOf(error), `delivering a receipt: ${textOf(error)}`)
        // The others would fare no better against a peer that is down.
        break
      }
    }
    await pause(EVERY_MS, signal)
  }
}

/** Leases that a crash cut short: their shards were never finished, so somebody else may begin at once. */
export async function returnAbandoned(deps: GiveBackDeps & { events: Events }, cause: unknown): Promise<void> {
  const abandoned = deps.records.all().filter((record: LeaseRecord) => record.state === "leased")
  for (const record of abandoned) {
    await giveBack(deps, { record, cause }).catch((error: unknown) => deps.events.fail(error))
  }
}
