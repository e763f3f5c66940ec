import { and, eq } from "drizzle-orm"
import type { Hex } from "viem"
import { publish } from "../artifacts/access.ts"
import type { Db } from "../store/database.ts"
import { jobs } from "../store/schema.ts"
import { recordEvents } from "../why/recordEvents.ts"

export type ActivateJobParams = { jobId: bigint; block?: number; tx?: Hex }

/**
 * The job's escrow is on chain: its shards may be leased from now on. Runs in the transaction that saw JobPosted; false
 * if the job was never submitted here or is open already (both are told by the caller's own row).
 */
export async function activateJob(db: Db, { jobId, block, tx }: ActivateJobParams): Promise<boolean> {
  const [job] = await db
    .update(jobs)
    .set({ state: "open", ...(block === undefined ? {} : { postedBlock: block }), ...(tx ? { postedTx: tx } : {}) })
    .where(and(eq(jobs.jobId, jobId), eq(jobs.state, "submitted")))
    .returning({ model: jobs.model, terms: jobs.terms })
  if (!job) return false
  // Models of posted jobs are public: verifiers and whoever checks the batch need them.
  await publish(db, [job.model, job.terms.specHash as Hex])
  const text = "posted on chain: shards are leased from now on"
  await recordEvents(db, [{ code: "JOB_POSTED", text, jobId, ...(tx ? { tx } : {}) }])
  return true
}
