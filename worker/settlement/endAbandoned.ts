import { type Address, isAddressEqual } from "viem"
import { NO_ATTESTATION, STATE } from "../audits/draw.ts"
import { type BatchBook, jobOfBatch } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import type { RecordStore } from "../records/store.ts"
import { rangeOf } from "./settle.ts"

export type EndAbandonedDeps = {
  chain: Chain
  sender: Sender
  batches: BatchBook
  records: RecordStore
  events: Events
  account: Address
}

/** Workers of one batch take turns, so that one transaction is sent and not one from each. */
const TURN_SECONDS = 12n

/**
 * A coordinator that died left our batch without an attestation, or attested and not finalized; anyone may end it
 * (R24a, R30), and who is locked in it has the reason to. The coordinator comes first, by a whole clock.
 */
export function createEndAbandoned(deps: EndAbandonedDeps, { graceSeconds }: { graceSeconds: bigint }) {
  const { chain, records, batches, account, events } = deps
  /** When to look again: states change at times that are known. */
  const lookAt = new Map<bigint, bigint>()

  return async (timestamp: bigint): Promise<void> => {
    const open = new Set<bigint>()
    for (const { state, batchId } of records.all())
      if (state === "committed" && batchId !== undefined) open.add(batchId)
    for (const batchId of lookAt.keys()) if (!open.has(batchId)) lookAt.delete(batchId)
    for (const batchId of open) {
      if (timestamp < (lookAt.get(batchId) ?? 0n)) continue
      const committed = await batches.batch(batchId)
      const mine = committed && rangeOf(committed, account)
      if (!mine || isAddressEqual(committed.batch.committer, account)) continue
      const { state, clock, count } = await chain.market.read.batchOf([batchId])
      const due = BigInt(clock) + graceSeconds + TURN_SECONDS * BigInt(mine.index)
      const waits = count > 0 || timestamp <= due
      // A hold ends by an event whose time nobody knows; a clock does not.
      lookAt.set(batchId, count > 0 ? timestamp + TURN_SECONDS : due)
      if (waits) continue
      try {
        if (state === STATE.attested) await finalize(deps, batchId)
        if (state === STATE.committed || state === STATE.drawn) await forfeit(deps, batchId)
      } catch (error) {
        events.wait("abandoned", "refused", codeOf(error), `ending batch ${batchId}: ${textOf(error)}`)
      }
      lookAt.set(batchId, timestamp + TURN_SECONDS)
    }
  }
}

async function finalize({ chain, sender, batches }: EndAbandonedDeps, batchId: bigint): Promise<void> {
  const [committed, attestation, terms] = await Promise.all([
    batches.batch(batchId),
    batches.attestation(batchId),
    batches.terms(jobOfBatch(batchId)),
  ])
  if (!committed || !attestation || !terms) return
  const { address, abi } = chain.market
  await sender.send({ address, abi, functionName: "finalize", args: [terms, committed.batch, attestation] })
}

async function forfeit({ chain, sender, batches }: EndAbandonedDeps, batchId: bigint): Promise<void> {
  const [committed, seed, terms] = await Promise.all([
    batches.batch(batchId),
    batches.seed(batchId),
    batches.terms(jobOfBatch(batchId)),
  ])
  if (!committed || !terms) return
  const { address, abi } = chain.market
  const args = [terms, committed.batch, seed ?? NO_ATTESTATION.seed] as const
  await sender.send({ address, abi, functionName: "forfeit", args })
}
