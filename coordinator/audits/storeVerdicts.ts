import { and, eq, gte, inArray, isNull, lt, or } from "drizzle-orm"
import { type Address, type Hex, isAddressEqual, zeroHash } from "viem"
import { recoverSigner, type SignedVerdict, type Verdict, type VerdictsStored, verdictHash } from "#protocol"
import { type BatchRow, parseTerms } from "../batches/batchRow.ts"
import { openBatch } from "../batches/openBatch.ts"
import { type Chain, lower } from "../chain/client.ts"
import type { Wake } from "../chain/wake.ts"
import { refuse } from "../errors.ts"
import type { Db } from "../store/database.ts"
import { batches, events, jobs, keys, reaudits, samples, verdicts } from "../store/schema.ts"

export type StoreVerdictsDeps = { db: Db; chain: Chain; wake: Wake }

export type StoreVerdictsParams = { account: Address; batchId: bigint; signed: readonly SignedVerdict[] }

type SampleRow = typeof samples.$inferSelect

/**
 * Stores what a drawn verifier found. Each verdict stands alone: one that is refused says why and spoils no other.
 * A verdict that differs from the leaf is what the whole audit is for; the accuser posts it at once (R24a).
 */
export async function storeVerdicts(deps: StoreVerdictsDeps, params: StoreVerdictsParams): Promise<VerdictsStored> {
  const { db, wake } = deps
  const { batchId, signed } = params
  const account = lower(params.account)
  const [batch] = await db.select().from(batches).where(eq(batches.batchId, batchId))
  if (!batch) throw refuse("E_BATCH_UNKNOWN", "this coordinator does not know that batch")
  // Once a batch is attested it takes the verdicts that a second seed drew, and no others (R22).
  const second = batch.state === "attested" || batch.state === "final"
  if (!second && batch.state !== "committed" && batch.state !== "drawn") {
    throw refuse("E_VERDICT_LATE", `batch ${batch.number} is ${batch.state}: it takes no verdicts any more`)
  }
  const [job] = await db.select({ terms: jobs.terms }).from(jobs).where(eq(jobs.jobId, batch.jobId))
  const terms = parseTerms(job!.terms)
  const open = await openBatch(db, batch, terms)
  if (!open) throw refuse("E_BATCH_UNKNOWN", "this coordinator did not build that batch")
  const drawn = await db.select().from(samples).where(eq(samples.batchId, batchId))
  const again = second ? await db.select().from(reaudits).where(eq(reaudits.batchId, batchId)) : []
  if (second && !again.some(({ candidates }) => candidates.includes(account))) {
    throw refuse("E_VERDICT_LATE", `batch ${batch.number} is ${batch.state}, and no second draw names this account`)
  }
  const drawnAgain = new Map(again.map((row) => [row.sample, row]))
  const bySample = new Map(
    drawn.map((row) => {
      const candidates = second ? (drawnAgain.get(row.sample)?.candidates ?? []) : candidatesOf(row)
      return [row.sample, { ...row, candidates }]
    }),
  )
  const good: Checked[] = []
  const refused: VerdictsStored["refused"] = []
  for (const one of signed) {
    const sample = bySample.get(one.verdict.sample)
    const code = await checkVerdict(deps, { account, batch, sample, maxUnits: terms.maxUnits, ...one })
    if (code !== undefined || !sample) {
      refused.push({ sample: one.verdict.sample, code: code ?? "E_VERDICT_POSITION" })
      continue
    }
    const leaf = open.leafAt(sample.position)
    const agrees = leaf.outputCommitment === one.verdict.outputCommitment
    if (agrees && leaf.units !== one.verdict.units) refused.push({ sample: sample.sample, code: "E_VERDICT_UNITS" })
    else good.push({ ...one, sample, agrees, hash: verdictHash(one.verdict) })
  }
  const rounds = second ? new Map(again.map(({ sample, round }) => [sample, round])) : undefined
  const conflicts = await keepVerdicts(db, { batch, verifier: account, good: unique(good), rounds })
  refused.push(...conflicts.map((sample) => ({ sample, code: "E_VERDICT_CONFLICT" })))
  if (good.length > conflicts.length) wake.notify("verdict")
  return { stored: good.length - conflicts.length, refused }
}

type Checked = SignedVerdict & { sample: SampleRow; agrees: boolean; hash: Hex }

/** R20: a call on chain makes those whom it names candidates too. */
function candidatesOf({ candidates, called, calledUntil }: SampleRow): Address[] {
  return calledUntil === null || called === null ? candidates : [...candidates, ...called]
}

/** The first of each sample: one submission may name a sample twice. */
function unique(verdicts: readonly Checked[]): Checked[] {
  return [...new Map([...verdicts].reverse().map((one) => [one.sample.sample, one])).values()]
}

type CheckParams = SignedVerdict & {
  account: Address
  batch: BatchRow
  sample: SampleRow | undefined
  maxUnits: number
}

/** The code of what is wrong with it, or undefined. */
async function checkVerdict(deps: StoreVerdictsDeps, params: CheckParams): Promise<string | undefined> {
  const { verdict, signature, account, batch, sample, maxUnits } = params
  if (!sample || verdict.batchId !== batch.batchId || verdict.position !== sample.position) return "E_VERDICT_POSITION"
  if (!isAddressEqual(verdict.verifier, account) || !sample.candidates.includes(account)) return "E_VERDICT_NOT_DRAWN"
  if (verdict.units < 1 || verdict.units > maxUnits) return "E_VERDICT_UNITS"
  // Without it a verdict proves nothing: it could be copied (R21).
  if (verdict.keyedDigest === zeroHash) return "E_VERDICT_SIGNATURE"
  const signer = await recoverSigner({ domain: deps.chain.domain, type: "Verdict", message: verdict, signature })
  if (!signer || !(await isKeyOf(deps.db, { key: signer, account, block: batch.commitBlock }))) {
    return "E_VERDICT_SIGNATURE"
  }
  return undefined
}

/** R8: registered before the commit block, and not revoked before it. */
async function isKeyOf(db: Db, { key, account, block }: { key: Address; account: Address; block: number }) {
  const [row] = await db
    .select({ key: keys.key })
    .from(keys)
    .where(
      and(
        eq(keys.key, lower(key)),
        eq(keys.account, account),
        lt(keys.fromBlock, block),
        or(isNull(keys.revokedBlock), gte(keys.revokedBlock, block)),
      ),
    )
  return row !== undefined
}

const ROWS_AT_ONCE = 1_000

type KeepParams = {
  batch: BatchRow
  verifier: Address
  good: readonly Checked[]
  /** Of second verdicts, the round that drew each sample. */
  rounds: ReadonlyMap<number, number> | undefined
}

/** Stores them in one transaction; returns the samples for which this verifier has given another verdict before. */
async function keepVerdicts(db: Db, { batch, verifier, good, rounds }: KeepParams): Promise<number[]> {
  return db.transaction(async (t) => {
    const conflicts: number[] = []
    for (let at = 0; at < good.length; at += ROWS_AT_ONCE) {
      const some = good.slice(at, at + ROWS_AT_ONCE)
      const numbers = some.map(({ sample }) => sample.sample)
      const inserted = await t
        .insert(verdicts)
        .values(
          some.map(({ verdict, signature, agrees, hash }) => ({
            batchId: batch.batchId,
            sample: verdict.sample,
            verifier,
            position: verdict.position,
            units: verdict.units,
            outputCommitment: verdict.outputCommitment,
            keyedDigest: verdict.keyedDigest,
            verdictHash: hash,
            signature: signature.toLowerCase() as Hex,
            agrees,
            round: rounds?.get(verdict.sample) ?? null,
          })),
        )
        .onConflictDoNothing()
        .returning({ sample: verdicts.sample })
      const fresh = new Set(inserted.map(({ sample }) => sample))
      if (fresh.size < some.length) {
        const old = await t
          .select({ sample: verdicts.sample, hash: verdicts.verdictHash })
          .from(verdicts)
          .where(
            and(
              eq(verdicts.batchId, batch.batchId),
              eq(verdicts.verifier, verifier),
              inArray(verdicts.sample, numbers),
            ),
          )
        // The same verdict again is an answer that got lost on its way: not an error.
        const known = new Map(old.map((row) => [row.sample, row.hash]))
        conflicts.push(
          ...some.filter((one) => known.get(one.sample.sample) !== one.hash).map((one) => one.sample.sample),
        )
      }
      if (fresh.size === 0) continue
      const table = rounds ? reaudits : samples
      await t
        .update(table)
        .set({ state: "answered" })
        .where(and(eq(table.batchId, batch.batchId), inArray(table.sample, [...fresh])))
      const told = some.filter((one) => fresh.has(one.sample.sample))
      await t.insert(events).values(told.map((one) => taleOf(batch, verifier, one, rounds !== undefined)))
    }
    return conflicts
  })
}

function taleOf(
  batch: BatchRow,
  verifier: Address,
  { sample, agrees }: Checked,
  second: boolean,
): typeof events.$inferInsert {
  const { taskIndex, shard, worker } = sample
  const what = agrees ? "the same result (R21)" : "another result (R20)"
  const found = agrees ? "MATCHED" : "MISMATCHED"
  return {
    code: second ? `REAUDIT_${found}` : `AUDIT_${found}`,
    text: `task ${taskIndex} was drawn and audited${second ? " again" : ""}: a verifier found ${what}`,
    jobId: batch.jobId,
    batchId: batch.batchId,
    shard,
    taskIndex,
    worker,
    data: { verifier },
  }
}

/** A stored verdict as its signer signed it. */
export function verdictOf(row: typeof verdicts.$inferSelect): Verdict {
  const { batchId, sample, position, verifier, units, outputCommitment, keyedDigest } = row
  return { batchId, sample, position, verifier, units, outputCommitment, keyedDigest }
}
