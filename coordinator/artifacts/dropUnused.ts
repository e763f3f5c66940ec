import { and, eq, inArray, lt, notExists, or, sql } from "drizzle-orm"
import type { Db } from "../store/database.ts"
import {
  artifactAcl,
  artifacts as artifactRows,
  batches,
  batchPlans,
  cursor,
  jobs,
  receipts,
  shards,
} from "../store/schema.ts"
import type { ArtifactStore } from "./artifactStore.ts"

export type DropUnusedDeps = {
  db: Db
  artifacts: Pick<ArtifactStore, "removeOlder">
  /** Chain time. */
  now: () => number
}

const KEPT_SECONDS = 86_400
/** A statement each; what is more goes the next time. */
const AT_ONCE = 1_000

/**
 * Accounts cost nothing, so neither may what they leave behind: jobs that were submitted and can no longer be posted, and
 * bytes that no job, receipt or batch names, go a day later.
 */
export async function dropUnused(deps: DropUnusedDeps): Promise<{ jobs: number; artifacts: number }> {
  return { jobs: await dropUnposted(deps), artifacts: await dropLoose(deps) }
}

async function dropUnposted({ db, artifacts }: DropUnusedDeps): Promise<number> {
  // By the time that the follower has come to: what was posted in blocks it has not seen is no reason to drop a job.
  const [seen] = await db.select({ time: sql<number | null>`min(${cursor.time})` }).from(cursor)
  if (!seen?.time) return 0
  const dropped = await db.transaction(async (tx) => {
    const found = await tx
      .select({ jobId: jobs.jobId })
      .from(jobs)
      .where(and(eq(jobs.state, "submitted"), lt(jobs.deadline, Number(seen.time) - KEPT_SECONDS)))
      .limit(AT_ONCE)
    const ids = found.map(({ jobId }) => jobId)
    if (ids.length === 0) return []
    await tx.delete(shards).where(inArray(shards.jobId, ids))
    return tx.delete(jobs).where(inArray(jobs.jobId, ids)).returning({ inputTree: jobs.inputTree })
  })
  for (const { inputTree } of dropped) {
    // Salts are the requesters' own, so two jobs may have one tree.
    const [other] = await db.select({ jobId: jobs.jobId }).from(jobs).where(eq(jobs.inputTree, inputTree)).limit(1)
    if (!other) await artifacts.removeOlder(inputTree, KEPT_SECONDS)
  }
  return dropped.length
}

async function dropLoose({ db, artifacts, now }: DropUnusedDeps): Promise<number> {
  const { sha256, createdAt } = artifactRows
  const one = { one: sql`1` }
  const isOld = sql`${createdAt} < now() - make_interval(secs => ${KEPT_SECONDS})`
  const loose = and(
    eq(artifactRows.public, false),
    isOld,
    notExists(
      db
        .select(one)
        .from(jobs)
        .where(or(eq(jobs.model, sha256), eq(jobs.expected, sha256))),
    ),
    notExists(db.select(one).from(jobs).where(sql`${jobs.terms} ->> 'specHash' = ${sha256}`)),
    notExists(db.select(one).from(shards).where(eq(shards.inputs, sha256))),
    notExists(db.select(one).from(receipts).where(eq(receipts.outputs, sha256))),
    notExists(db.select(one).from(batchPlans).where(eq(batchPlans.dataHash, sha256))),
    notExists(db.select(one).from(batches).where(eq(batches.dataHash, sha256))),
    // Cut for an audit that still goes on.
    notExists(
      db
        .select(one)
        .from(artifactAcl)
        .where(and(eq(artifactAcl.sha256, sha256), sql`${artifactAcl.until} > ${now()}`)),
    ),
  )
  const found = db.select({ sha256 }).from(artifactRows).where(loose).limit(AT_ONCE)
  const dropped = await db
    .delete(artifactRows)
    .where(and(inArray(sha256, found), isOld))
    .returning({ sha256 })
  for (const { sha256: hash } of dropped) {
    await db.delete(artifactAcl).where(eq(artifactAcl.sha256, hash))
    // Whoever uploads it again in this moment has made the file new.
    await artifacts.removeOlder(hash, KEPT_SECONDS)
  }
  return dropped.length
}
