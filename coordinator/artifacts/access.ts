import { and, eq, gt, inArray, isNull, lt, or, sql } from "drizzle-orm"
import type { Address, Hex } from "viem"
import type { Db } from "../store/database.ts"
import { artifactAcl, artifacts } from "../store/schema.ts"

export type AccessReason = typeof artifactAcl.$inferSelect.reason
export type Grant = { sha256: Hex; account: Address; reason: AccessReason; until?: number | undefined }

/** R21, R6: who may read an artifact besides the coordinator. `now` is chain time; no account asks for public ones. */
export async function mayRead(
  db: Db,
  params: { sha256: Hex; account?: Address | undefined; now: number },
): Promise<boolean> {
  const { sha256, account, now } = params
  const [row] = await db.select({ public: artifacts.public }).from(artifacts).where(eq(artifacts.sha256, sha256))
  if (!row) return false
  if (row.public) return true
  if (!account) return false
  const [grant] = await db
    .select({ account: artifactAcl.account })
    .from(artifactAcl)
    .where(
      and(
        eq(artifactAcl.sha256, sha256),
        eq(artifactAcl.account, account),
        or(isNull(artifactAcl.until), gt(artifactAcl.until, now)),
      ),
    )
    .limit(1)
  return grant !== undefined
}

/** Lets accounts read; a later grant of the same kind replaces the time of the earlier one. */
export async function grantAccess(db: Db, grants: readonly Grant[]): Promise<void> {
  if (grants.length === 0) return
  await db
    .insert(artifactAcl)
    .values(grants.map(({ until, ...grant }) => ({ ...grant, until: until ?? null })))
    .onConflictDoUpdate({
      target: [artifactAcl.sha256, artifactAcl.account, artifactAcl.reason],
      set: { until: sql`excluded.until` },
    })
}

/** From now on anyone may read them: models of posted jobs, data and outputs of attested batches. */
export async function publish(db: Db, sha256s: readonly Hex[]): Promise<void> {
  if (sha256s.length === 0) return
  await db
    .update(artifacts)
    .set({ public: true })
    .where(inArray(artifacts.sha256, [...sha256s]))
}

/** Registers bytes that are on disk. The uploader proved to have them, so it may read them. */
export async function registerArtifact(
  db: Db,
  params: { sha256: Hex; bytes: number; uploader?: Address | undefined; public?: boolean },
): Promise<void> {
  const { sha256, bytes, uploader } = params
  await db
    .insert(artifacts)
    .values({ sha256, bytes, uploader: uploader ?? null, public: params.public ?? false })
    // Bytes that were sent again are wanted again: their day begins anew.
    .onConflictDoUpdate({ target: artifacts.sha256, set: { createdAt: sql`now()` } })
  if (uploader) await grantAccess(db, [{ sha256, account: uploader, reason: "uploader" }])
}

/** Grants of leases and candidates that ran out: nothing reads them any more. */
export async function dropExpiredGrants(db: Db, now: number): Promise<void> {
  await db.delete(artifactAcl).where(lt(artifactAcl.until, now))
}
