import { setTimeout as sleep } from "node:timers/promises"
import type { Client } from "#client"

export type SettleRefundDeps = { client: Client; account: `0x${string}` }

/** Coordinators book refunds when a job is final; this long they are waited for before we book it ourselves. */
const PATIENCE_MS = 5000
const POLL_MS = 250

/** What a job did not use is owed to its requester from then on, and `withdraw` takes it. @returns all that came back */
export async function settleRefund({ client, account }: SettleRefundDeps, jobId: bigint): Promise<bigint> {
  const deadline = Date.now() + PATIENCE_MS
  do {
    const refunded = await refundedOf({ client, account }, jobId)
    if (refunded > 0n) return refunded
    await sleep(POLL_MS)
  } while (Date.now() < deadline)
  await client.refund(jobId)
  return refundedOf({ client, account }, jobId)
}

/** From the chain, whoever booked it. */
export async function refundedOf({ client, account }: SettleRefundDeps, jobId: bigint): Promise<bigint> {
  const payouts = await client.payouts(account)
  const entries = payouts.flatMap((payout) => payout.entries)
  return entries.reduce(
    (sum, entry) => (entry.kind === "refund" && entry.jobId === jobId ? sum + entry.amount : sum),
    0n,
  )
}
