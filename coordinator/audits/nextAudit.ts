import { and, asc, eq, inArray, notInArray, or, sql } from "drizzle-orm"
import type { Address } from "viem"
import type { AuditBundle } from "#protocol"
import { grantAccess, registerArtifact } from "../artifacts/access.ts"
import type { ArtifactStore } from "../artifacts/artifactStore.ts"
import { type BatchRow, batchStruct } from "../batches/batchRow.ts"
import type { Chain } from "../chain/client.ts"
import type { JobContexts } from "../jobs/jobContexts.ts"
import type { Db } from "../store/database.ts"
import { batches, reaudits, samples, verdicts } from "../store/schema.ts"
import { bundleInputs } from "./inputBundle.ts"
import { patienceOf } from "./patience.ts"

export type NextAuditDeps = {
  db: Db
  chain: Chain
  artifacts: Pick<ArtifactStore, "read" | "putBytes">
  contexts: JobContexts
}

/** As many as one bundle holds; the rest of a verifier's samples comes with the next one. */
const MAX_SAMPLES = 256
/** A bundle that cannot be answered before the limit is not worth computing. */
const LEAST_SECONDS = 2

/**
 * The drawn tasks of one batch that this account should run now: those kept for it, and those whose verifier has been
 * waited for in vain (R20: all three candidates are tried until the limit is near). Blind: no answer is in it (R21).
 */
export async function nextAudit(
  deps: NextAuditDeps,
  { account }: { account: Address },
): Promise<AuditBundle | undefined> {
  const { db, chain } = deps
  const now = chain.now()
  const { attestLimit } = chain.deployment.params
  const rows = await db
    .selectDistinct({ batch: batches })
    .from(samples)
    .innerJoin(batches, eq(batches.batchId, samples.batchId))
    .where(
      and(
        inArray(batches.state, ["committed", "drawn"]),
        or(
          and(
            inArray(samples.state, ["open", "asked"]),
            sql`${samples.candidates} @> ${JSON.stringify([account])}::jsonb`,
          ),
          isCalled(account, now),
        ),
      ),
    )
    .orderBy(asc(batches.batchId))
  for (const { batch } of rows) {
    const deadline = batch.commitTime + attestLimit
    if (now + LEAST_SECONDS > deadline) continue
    const taken = await takeSamples(db, { batch, account, now, until: now + patienceOf(attestLimit) })
    if (taken.length > 0) return bundleOf(deps, { batch, account, deadline, taken })
  }
  return nextReaudit(deps, { account, now })
}

/** R20: whoever was called on chain must answer there, so each is served, whoever else has answered. */
function isCalled(account: Address, now: number) {
  return sql`(${samples.calledUntil} >= ${now} and ${samples.called} @> ${JSON.stringify([account])}::jsonb)`
}

/**
 * R22: verdicts that a second seed drew. A leaf can be brought before a judge within the window, a copied digest after
 * it too; so they are served for a clock longer.
 */
async function nextReaudit(
  deps: NextAuditDeps,
  { account, now }: { account: Address; now: number },
): Promise<AuditBundle | undefined> {
  const { db, chain } = deps
  const { window, clock } = chain.deployment.params
  const mine = sql`${reaudits.candidates} @> ${JSON.stringify([account])}::jsonb`
  const rows = await db
    .selectDistinct({ batch: batches, round: reaudits.round })
    .from(reaudits)
    .innerJoin(batches, eq(batches.batchId, reaudits.batchId))
    .where(and(inArray(reaudits.state, ["open", "asked"]), inArray(batches.state, ["attested", "final"]), mine))
    .orderBy(asc(batches.batchId))
  for (const { batch, round } of rows) {
    const deadline = (batch.attestTime ?? 0) + window + clock
    if (now >= deadline) continue
    const taken = await db.transaction(async (t) => {
      const answered = t
        .select({ sample: verdicts.sample })
        .from(verdicts)
        .where(and(eq(verdicts.batchId, batch.batchId), eq(verdicts.verifier, account)))
      const free = await t
        .select({ sample: reaudits.sample })
        .from(reaudits)
        .where(
          and(
            eq(reaudits.batchId, batch.batchId),
            inArray(reaudits.state, ["open", "asked"]),
            mine,
            sql`(${reaudits.askedTo} is null or ${reaudits.askedUntil} < ${now})`,
            notInArray(reaudits.sample, answered),
          ),
        )
        .limit(MAX_SAMPLES)
        .for("update", { skipLocked: true })
      if (free.length === 0) return []
      const numbers = free.map(({ sample }) => sample)
      await t
        .update(reaudits)
        .set({ state: "asked", askedTo: account, askedUntil: now + patienceOf(window) })
        .where(and(eq(reaudits.batchId, batch.batchId), inArray(reaudits.sample, numbers)))
      return t
        .select()
        .from(samples)
        .where(and(eq(samples.batchId, batch.batchId), inArray(samples.sample, numbers)))
        .orderBy(asc(samples.sample))
    })
    if (taken.length > 0) return bundleOf(deps, { batch, account, deadline, taken, round })
  }
  return undefined
}

type SampleRow = typeof samples.$inferSelect
type TakeParams = { batch: BatchRow; account: Address; now: number; until: number }

/** Marks samples as handed to the account; two requests at once never get the same one. */
async function takeSamples(db: Db, { batch, account, now, until }: TakeParams): Promise<SampleRow[]> {
  return db.transaction(async (t) => {
    const answered = t
      .select({ sample: verdicts.sample })
      .from(verdicts)
      .where(and(eq(verdicts.batchId, batch.batchId), eq(verdicts.verifier, account)))
    const free = await t
      .select()
      .from(samples)
      .where(
        and(
          eq(samples.batchId, batch.batchId),
          or(
            and(
              inArray(samples.state, ["open", "asked"]),
              sql`${samples.candidates} @> ${JSON.stringify([account])}::jsonb`,
              sql`((${samples.state} = 'open' and ${samples.askedTo} = ${account}) or ${samples.askedUntil} < ${now} or ${samples.askedTo} is null)`,
            ),
            isCalled(account, now),
          ),
          notInArray(samples.sample, answered),
        ),
      )
      .orderBy(asc(samples.sample))
      .limit(MAX_SAMPLES)
      .for("update", { skipLocked: true })
    if (free.length === 0) return []
    const numbers = free.map(({ sample }) => sample)
    await t
      .update(samples)
      .set({ state: "asked", askedTo: account, askedUntil: until })
      .where(
        and(
          eq(samples.batchId, batch.batchId),
          inArray(samples.sample, numbers),
          inArray(samples.state, ["open", "asked"]),
        ),
      )
    return free
  })
}

type BundleParams = {
  batch: BatchRow
  account: Address
  deadline: number
  taken: readonly SampleRow[]
  round?: number
}

async function bundleOf(deps: NextAuditDeps, params: BundleParams): Promise<AuditBundle> {
  const { batch, account, deadline, taken, round } = params
  const { db, artifacts, contexts } = deps
  const context = await contexts.get(batch.jobId)
  const taskIndexes = taken.map(({ taskIndex }) => taskIndex)
  const bytes = await bundleInputs({ artifacts }, { context, taskIndexes })
  const inputs = await artifacts.putBytes(bytes)
  await registerArtifact(db, { sha256: inputs, bytes: bytes.length })
  await grantAccess(db, [{ sha256: inputs, account, reason: "candidate", until: deadline }])
  return {
    batchId: batch.batchId,
    batch: batchStruct(batch),
    seed: taken[0]!.seed,
    terms: context.terms,
    spec: context.spec,
    deadline,
    inputs,
    ...(round === undefined ? {} : { round }),
    samples: taken.map(({ sample, position, taskIndex }) => ({
      sample,
      position,
      taskIndex,
      salt: context.salt(taskIndex),
      inputCommitment: context.inputs.commitment(taskIndex),
      inputProof: context.inputs.path(taskIndex),
    })),
  }
}
