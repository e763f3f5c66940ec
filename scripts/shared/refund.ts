import type { Client } from "#client"

/** Books what a job did not use as owed to its requester, which `withdraw` then takes. */
export async function settleRefund(
  client: Client,
  { jobId }: { jobId: bigint; signal?: AbortSignal },
): Promise<bigint> {
  return (await client.refund(jobId)).amount
}
