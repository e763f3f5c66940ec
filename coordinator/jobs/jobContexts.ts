import { eq } from "drizzle-orm"
import type { Hex } from "viem"
import { type Spec, shardTasks, type Terms, taskSalt } from "#protocol"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { jobs } from "../store/schema.ts"
import { type InputTree, openInputTree } from "./inputTree.ts"
import { specOf, termsOf } from "./jobRow.ts"

/** What never changes about a job, ready for use. */
export type JobContext = {
  jobId: bigint
  terms: Terms
  spec: Spec
  /** The spec as it goes into every lease: encoded once, for it names every shard of the job. */
  specJson: string
  jobSalt: Hex
  inputs: InputTree
  /** The artifact whose tensors results may repeat. */
  expected: Hex | null
  salt(taskIndex: number): Hex
  tasksOf(shard: number): { first: number; count: number }
}

export type JobContexts = {
  get(jobId: bigint): Promise<JobContext>
}

export type JobContextsDeps = {
  db: Db
  artifacts: Pick<ArtifactStore, "read">
  /** Trees of inputs kept in memory. */
  maxBytes?: number
}

/** Contexts of the jobs that are worked on; the least recently used go when their trees grow too big together. */
export function createJobContexts({ db, artifacts, maxBytes = 256 * 1024 ** 2 }: JobContextsDeps): JobContexts {
  const known = new Map<bigint, Promise<JobContext>>()
  const sizes = new Map<bigint, number>()

  async function load(jobId: bigint): Promise<JobContext> {
    const [job] = await db.select().from(jobs).where(eq(jobs.jobId, jobId))
    if (!job) throw refuse("E_JOB_UNKNOWN", "this coordinator does not know that job")
    const [terms, inputs] = [termsOf(job), openInputTree(await artifacts.read(job.inputTree))]
    sizes.set(jobId, inputs.bytes)
    return {
      jobId,
      terms,
      spec: specOf(job),
      specJson: JSON.stringify(job.spec),
      jobSalt: job.jobSalt,
      inputs,
      expected: job.expected,
      salt: (taskIndex) => taskSalt(job.jobSalt, taskIndex),
      tasksOf: (shard) => shardTasks(terms, shard),
    }
  }

  function evict(keep: bigint): void {
    let total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
    for (const [jobId, size] of sizes) {
      if (total <= maxBytes || jobId === keep) continue
      total -= size
      sizes.delete(jobId)
      known.delete(jobId)
    }
  }

  return {
    async get(jobId) {
      const hit = known.get(jobId)
      if (hit) {
        // Moved to the end: the front is what was used longest ago.
        known.delete(jobId)
        known.set(jobId, hit)
        const size = sizes.get(jobId)
        if (size !== undefined && sizes.delete(jobId)) sizes.set(jobId, size)
        return hit
      }
      const loading = load(jobId)
      known.set(jobId, loading)
      try {
        const context = await loading
        evict(jobId)
        return context
      } catch (error) {
        known.delete(jobId)
        sizes.delete(jobId)
        throw error
      }
    },
  }
}
