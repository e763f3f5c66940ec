import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { eq } from "drizzle-orm"
import { type History, readHistory } from "../../../client/chain/readHistory.ts"
import { readConservation } from "../../../client/payouts/conservation.ts"
import { readBatches } from "../../../client/payouts/ledger.ts"
import { checkStory } from "../../../client/verify/checkStory.ts"
import { batches } from "../../../coordinator/store/schema.ts"
import { missingArtifacts } from "../../coordinator/support/localChain.ts"
import { type Market, openMarket, type Party, type PostedJob, wrong } from "../../coordinator/support/marketFixture.ts"

const skip = missingArtifacts() ?? false

let market: Market
let workers: Party[]
let history: History

const isFinal = async ({ jobId }: PostedJob) => {
  const rows = await market.db.select().from(batches).where(eq(batches.jobId, jobId))
  return rows.length > 0 && rows.every(({ state }) => state === "final")
}

before(async () => {
  if (skip) return
  market = await openMarket()
  workers = [await market.worker(), await market.worker(), await market.worker(), await market.worker()]
  await market.until("the follower saw them", async () => (await market.services.follower.head()) !== undefined)
  // One batch with a cheat whom the jury finds, and one whose sample nobody answers.
  const cheated = await market.postJob({ tasks: 16, shardSize: 4, auditRate: 10_000 })
  for (const [i, worker] of workers.entries()) await market.compute(cheated, i, worker, ...(i === 0 ? [wrong] : []))
  await market.until(
    "the cheated batch is final",
    () => isFinal(cheated),
    async () => {
      for (const one of workers) {
        await market.audit(one)
        await market.vote(one)
      }
    },
  )
  const silent = await market.postJob({ tasks: 4, shardSize: 4 })
  await market.compute(silent, 0, workers[0]!)
  await market.until("the silent batch is final", () => isFinal(silent))
  history = await readHistory(market.chain.client, market.local.deployment)
})
after(async () => {
  if (!skip) await market.close()
})

const check = (told: History) => {
  const deps = { chain: market.chain.client, deployment: market.local.deployment, history: told }
  return Promise.all(
    [...readBatches(told).values()].map((record) => checkStory(deps, `batch ${record.batchId}`, record)),
  )
}

test("behavior: what really happened is a story that the rules allow, and paid what they pay", { skip }, async () => {
  const names = new Set(history.events.map(({ eventName }) => eventName))
  for (const needed of ["RangeFrozen", "DisputeResolved", "RangeVoided", "BatchFinalized"] as const) {
    assert.ok(names.has(needed), `the scene lacks a ${needed}`)
  }
  const checks = (await check(history)).flat()
  assert.equal(checks.length, 4)
  assert.deepEqual(
    checks.filter(({ ok }) => ok !== true),
    [],
  )
})

test("behavior: a story that lacks one event, or tells another pay, is refused", { skip }, async () => {
  const without = (name: string): History => ({
    ...history,
    events: history.events.filter(({ eventName }) => eventName !== name),
  })
  const failed = async (told: History) => (await check(told)).flat().filter(({ ok }) => ok === false)
  assert.match((await failed(without("DisputeResolved")))[0]!.detail, /demands or disputes are open/)
  assert.deepEqual(await failed(without("BatchDrawn")), [], "attest draws by itself")
  assert.match((await failed(without("RangeVoided")))[0]!.detail, /the chain paid ranges/)
  const richer: History = {
    ...history,
    events: history.events.map((event) =>
      event.eventName === "BatchFinalized"
        ? { ...event, args: { ...event.args, audited: event.args.audited + 1n } }
        : event,
    ),
  }
  assert.equal((await failed(richer)).length, 2)
})

test("behavior: the Registry holds what went in less what came out, a slash included (R9)", { skip }, async () => {
  const { conserved, balance, expected } = await readConservation(market.chain.client, market.local.deployment, history)
  assert.ok(conserved, `${balance} where ${expected} is expected`)
})
