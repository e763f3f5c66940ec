import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { and, eq, isNotNull } from "drizzle-orm"
import { juryAbi, type Lease, leaseHash, registryAbi, signMessage } from "#protocol"
import { readHistory } from "../../../client/chain/readHistory.ts"
import { readConservation } from "../../../client/payouts/conservation.ts"
import {
  batches,
  disputes,
  events,
  leases,
  outbox,
  reaudits,
  samples,
  verdicts,
} from "../../../coordinator/store/schema.ts"
import { missingArtifacts } from "../support/localChain.ts"
import { honest, type Market, openMarket, type Party, type PostedJob, wrong } from "../support/marketFixture.ts"

const skip = missingArtifacts() ?? false

let market: Market
let workers: Party[]
let verifiers: Party[]

before(async () => {
  if (skip) return
  market = await openMarket()
  workers = [await market.worker(1), await market.worker(6), await market.worker(6)]
  verifiers = [...workers, await market.worker(6), await market.worker(6), await market.worker(6)]
  await market.until("the follower saw them", async () => (await market.services.follower.head()) !== undefined)
})
after(async () => {
  if (!skip) await market.close()
})

const batchOf = async ({ jobId }: PostedJob) =>
  (await market.db.select().from(batches).where(eq(batches.jobId, jobId)))[0]
const codesOf = async ({ jobId }: PostedJob) =>
  (await market.db.select().from(events).where(eq(events.jobId, jobId))).map(({ code }) => code)
const stakeOf = async ({ address }: Party) => {
  const { registry } = market.chain.deployment.contracts
  const call = { address: registry, abi: registryAbi, functionName: "stakerOf", args: [address] } as const
  return (await market.chain.client.readContract(call))[0]
}

/** Whoever signed a verdict on the sample is struck from its jury, and its vote refused in every phase. */
function unlessStruck(error: Error): void {
  if (!/BallotNotJuror|BallotPhase/.test(error.message)) throw error
}

test("R22: verdicts that all were bought are drawn again, and what the second audit finds goes to the jury", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 96, shardSize: 24, auditRate: 10_000 })
  for (const shard of [0, 1, 2, 3]) await market.compute(job, shard, workers[0]!, wrong)
  await market.until(
    "it is attested",
    async () => (await batchOf(job))?.state === "attested",
    async () => {
      // Every first verdict vouches for the wrong leaf.
      for (const one of verifiers) if ((await batchOf(job))?.state !== "attested") await market.audit(one, wrong)
    },
  )
  const { batchId } = (await batchOf(job))!
  assert.deepEqual(await market.db.select().from(disputes).where(eq(disputes.batchId, batchId)), [])
  await market.until(
    "the range is refuted",
    async () => {
      const found = await market.db.select().from(disputes).where(eq(disputes.batchId, batchId))
      return found.some(({ outcome }) => outcome === "refuted")
    },
    async () => {
      for (const one of verifiers) await market.audit(one, honest)
      for (const one of verifiers) await market.vote(one, honest).catch(unlessStruck)
    },
  )
  const again = await market.db.select().from(reaudits).where(eq(reaudits.batchId, batchId))
  assert.ok(again.length > 0 && again.length < 96 / 2, "about one in ten")
  const seconds = await market.db
    .select()
    .from(verdicts)
    .where(and(eq(verdicts.batchId, batchId), isNotNull(verdicts.round)))
  const drawn = new Map(again.map(({ sample, candidates }) => [sample, candidates]))
  assert.ok(seconds.length > 0)
  for (const { sample, verifier, used } of seconds) {
    assert.ok(drawn.get(sample)?.includes(verifier), "by who was drawn")
    assert.equal(used, false, "the attestation is what it was")
  }
  const codes = await codesOf(job)
  for (const code of ["REAUDIT_DRAWN", "REAUDIT_MISMATCHED", "DISPUTE_REFUTED"]) assert.ok(codes.includes(code), code)
  // R22: whoever vouched for the sample in dispute pays.
  await market.until("a bought verdict is punished", async () => {
    const told = await market.db.select().from(events).where(eq(events.code, "VERDICT_FALSE"))
    return told.length > 0
  })
})

test("R20, R25: samples that nobody answers are called on chain; an answer there is used, and the silent pay", {
  skip,
}, async () => {
  const job = await market.postJob({ tasks: 4, shardSize: 4, auditRate: 2_500 })
  await market.compute(job, 0, workers[0]!)
  const called = async () => {
    const batch = await batchOf(job)
    if (!batch) return undefined
    const rows = await market.db.select().from(samples).where(eq(samples.batchId, batch.batchId))
    return rows.find(({ calledUntil }) => calledUntil !== null)
  }
  await market.until("the sample is called", async () => (await called()) !== undefined)
  const sample = (await called())!
  const named = sample.called!
  assert.ok(
    sample.candidates.every((one) => named.includes(one)),
    "the candidates are among the called",
  )
  // Five more seats are drawn, as a rule of others; chance may give all of them to the candidates' owners.
  const isNamed = ({ address }: Party) => named.includes(address)
  const helper =
    verifiers.find((one) => isNamed(one) && !sample.candidates.includes(one.address)) ?? verifiers.find(isNamed)
  assert.ok(helper)
  const stakes = new Map(await Promise.all(verifiers.map(async (one) => [one.address, await stakeOf(one)] as const)))
  // The helper answers on chain alone: nothing of it is sent to the coordinator.
  const { nextAudit } = await import("../../../coordinator/audits/nextAudit.ts")
  const { batchStruct } = await import("../../../coordinator/batches/batchRow.ts")
  const { db, chain, artifacts, contexts } = market
  const bundle = await nextAudit({ db, chain, artifacts, contexts }, { account: helper.address })
  assert.ok(bundle, "a called seat is served")
  const [signed] = await market.verdictsFor(bundle, helper)
  const args = [job.terms, batchStruct((await batchOf(job))!), signed!.verdict, signed!.signature]
  const to = market.chain.deployment.contracts.jury
  await market.local.send(helper.account, { to, abi: juryAbi, name: "answerCall", args })
  await market.until("it is attested", async () => (await batchOf(job))?.state === "attested")
  const batch = (await batchOf(job))!
  assert.equal(batch.silentRanges, 0n, "the range is saved")
  const used = await db.select().from(verdicts).where(eq(verdicts.batchId, batch.batchId))
  assert.deepEqual(
    used.map(({ verifier }) => verifier),
    [helper.address],
  )
  const silent = verifiers.filter(({ address }) => named.includes(address) && address !== helper.address)
  await market.until("every silent seat paid", async () => {
    const now = await Promise.all(silent.map(stakeOf))
    return now.every((stake, i) => stake < stakes.get(silent[i]!.address)!)
  })
  assert.equal(await stakeOf(helper), stakes.get(helper.address), "who answered pays nothing")
  await market.until("all of it is told", async () => {
    const codes = await codesOf(job)
    return ["SAMPLE_CALLED", "CALL_ANSWERED", "SEAT_SILENT"].every((code) => codes.includes(code))
  })
})

test("R14: a claim of two leases is answered with the release that ended the first one", { skip }, async () => {
  const job = await market.postJob({ tasks: 4, shardSize: 4 })
  const [first, second] = [workers[1]!, workers[2]!]
  const start = await market.local.now()
  const { domain } = market.chain
  const leaseTo = (one: Party, after: number): Lease => ({
    jobId: job.jobId,
    shard: 0,
    worker: one.address,
    start: BigInt(start + after),
    expiry: BigInt(start + after + 60),
  })
  const sign = (message: Lease) => signMessage(market.coordinator.key, { domain, type: "Lease", message })
  const [one, two] = [leaseTo(first, 0), leaseTo(second, 5)]
  const hash = leaseHash(one)
  const release = { leaseHash: hash, at: BigInt(start + 5) }
  await market.db.insert(leases).values({
    leaseHash: hash,
    jobId: job.jobId,
    shard: 0,
    worker: first.address,
    startAt: start,
    expiry: start + 60,
    endAt: start + 5,
    signature: await sign(one),
    state: "released",
    collateral: 0n,
    releaseSignature: await signMessage(first.key, { domain, type: "Release", message: release }),
    releaseAt: start + 5,
  })
  const to = market.chain.deployment.contracts.jury
  const args = [one, await sign(one), two, await sign(two)]
  await market.local.send(second.account, { to, abi: juryAbi, name: "claimEquivocation", args, value: 10n ** 16n })
  const answered = async () => {
    const rows = await market.db.select().from(outbox).where(eq(outbox.kind, "equivocation"))
    return rows.some(({ state }) => state === "done")
  }
  await market.until("it is answered", answered)
  const found = await market.chain.client.getContractEvents({
    address: to,
    abi: juryAbi,
    eventName: "EquivocationAnswered",
    fromBlock: 0n,
  })
  assert.equal(found.length, 1)
  assert.ok((await codesOf(job)).includes("EQUIVOCATION_CLAIMED"))
})

test("R9, R14: two leases that nobody can explain cost the standing bond, and the Registry's books still close", {
  skip,
}, async () => {
  await market.services.funds.ensureStanding()
  const { registry, jury } = market.chain.deployment.contracts
  const { client, domain } = market.chain
  const bond = async () => {
    const call = { address: registry, abi: registryAbi, functionName: "standingOf" } as const
    return (await client.readContract({ ...call, args: [market.coordinator.address] }))[0]
  }
  await market.until("the bond is there", async () => (await bond()) > 0n)
  const amount = await bond()
  const start = BigInt(await market.local.now())
  const leaseTo = (one: Party, after: bigint): Lease => ({
    jobId: 9n,
    shard: 0,
    worker: one.address,
    start: start + after,
    expiry: start + after + 60n,
  })
  const sign = (message: Lease) => signMessage(market.coordinator.key, { domain, type: "Lease", message })
  const [one, two] = [leaseTo(workers[1]!, 0n), leaseTo(workers[2]!, 5n)]
  const args = [one, await sign(one), two, await sign(two)]
  const before = (await market.pairOf(workers[2]!.address)).owed
  const send = (name: string, given: readonly unknown[], value = 0n) =>
    market.local.send(workers[2]!.account, { to: jury, abi: juryAbi, name, args: given, value })
  await send("claimEquivocation", args, 10n ** 16n)
  const [claimed] = await client.getContractEvents({
    address: jury,
    abi: juryAbi,
    eventName: "EquivocationClaimed",
    fromBlock: BigInt(await client.getBlockNumber()),
    strict: true,
  })
  await market.local.warp(21)
  await send("settleEquivocation", [claimed!.args.claimId])
  assert.equal(await bond(), 0n)
  assert.equal((await market.pairOf(workers[2]!.address)).owed - before, amount / 2n)
  const history = await readHistory(client, market.local.deployment)
  const { conserved, balance, expected } = await readConservation(client, market.local.deployment, history)
  assert.ok(conserved, `${balance} where ${expected} is expected`)
})
