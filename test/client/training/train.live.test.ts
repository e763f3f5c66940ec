import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { createTestClient, type Hex, http } from "viem"
import {
  type Client,
  contributions,
  createRunFolder,
  openRunFolder,
  readManifest,
  type TrainEvent,
  type TrainingRun,
  train,
  verifyRun,
} from "#client"
import { createRoundRuntime, createRunner, playRound } from "#engine"
import { assayTokenAbi, type Deployment, modelRegistryAbi } from "#protocol"
import { classifier } from "../../engine/support/graphs.ts"
import { startLocalStack } from "../../worker/support/localStack.ts"
import { playedAlone, program, SIZE, SLOTS, STEPS, smallRun, smallRunOf, writeShards } from "./support/smallRun.ts"

const ROUNDS = 3

test("R32 to R34: a run is rounds of ordinary jobs; a cheat in a round is slashed, and the result is what one machine makes", async (t) => {
  const { client, deployment, startWorker, ready } = await startLocalStack(t, { ASSAY_LEASE_SECONDS: "20" })
  const cheat = startWorker({ backend: join(import.meta.dirname, "../../../examples/cheats/lazy.ts") })
  const honest = [1, 2, 3].map(() => startWorker({ seats: 6 }))
  await ready()
  const runner = createRunner()
  const home = await mkdtemp(join(tmpdir(), "assay-run-"))
  t.after(async () => {
    await runner.close()
    await rm(home, { recursive: true })
  })
  const dir = join(home, "run")
  const folder = await createRunFolder(dir, {
    program,
    forward: classifier(),
    parameters: [{ name: "w", dims: [SIZE], offset: 0 }],
    title: "a run",
    rounds: ROUNDS,
    sources: {},
    data: await writeShards(home),
  })
  const events: TrainEvent[] = []
  const run = await train(
    { client, runner },
    {
      ...smallRun,
      run: folder.run,
      rounds: ROUNDS - 1,
      keep: folder.save,
      register: (programRoot) => client.models.open({ programRoot, ...PLAN, title: "a run" }),
      onEvent: (event) => {
        events.push(event)
        // Found out once, it goes: the run does without it.
        if (event.kind === "refuted") void cheat.handle.stop()
      },
    },
  )
  assert.ok(
    events.some(({ kind }) => kind === "refuted"),
    "the cheat took part, and was found out",
  )
  for (const { events: seen } of honest) assert.ok(!seen.some(({ kind }) => kind === "slashed"))

  // What was kept is enough to go on from, in another process.
  const reopened = await openRunFolder(dir)
  assert.deepEqual(reopened.run, run)
  const ended = await train({ client, runner }, { ...smallRun, run: reopened.run, rounds: ROUNDS, keep: reopened.save })
  assert.deepEqual(
    ended.state,
    await playedAlone(runner, { program, rounds: ROUNDS }),
    "not a bit differs from the run of one machine",
  )
  assert.ok(ended.rounds.length === ROUNDS && ended.rounds.every(({ final }) => final))
  const steps = [...contributions(ended).values()].reduce((sum, one) => sum + one, 0)
  assert.equal(steps, ROUNDS * SLOTS * STEPS)
  assert.ok(!contributions(ended).has(cheat.address), "nobody is credited with what was made up")

  await assertShares(client, ended)

  const { plan, saveModel } = await openRunFolder(dir)
  const saved = await saveModel(ended, new Uint8Array([1]))
  await client.models.complete(ended.modelId!, { state: HASH, manifest: saved.manifestSha256, model: saved.sha256 })
  const manifest = await readManifest(dir)
  const other = await verifyRun({ client, runner }, { plan, manifest: { ...manifest, model: HASH } })
  assert.deepEqual(
    other.checks.filter(({ ok }) => ok === false).map(({ name }) => name),
    ["register"],
    "another model than the registered one is found out",
  )
  const verified = await verifyRun({ client, runner }, { plan, manifest })
  assert.deepEqual(
    verified.checks.filter(({ ok }) => ok === false),
    [],
  )
  assert.equal(verified.checks.length, 4 * ROUNDS + 2)

  // Rounds that changed places ran on what did not follow.
  const [first, second, ...others] = manifest.played
  const swapped = { ...manifest, played: [{ ...second!, round: 0 }, { ...first!, round: 1 }, ...others] }
  const wrong = await verifyRun({ client, runner }, { plan, manifest: swapped })
  assert.ok(!wrong.ok && wrong.checks.some(({ name, ok }) => name === "round 0: links" && ok === false))

  await assertIncome(client, deployment, ended)
})

/** Shares follow work that was paid. */
async function assertShares(client: Client, run: TrainingRun): Promise<void> {
  const modelId = run.modelId!
  const jobs = run.rounds.map(({ jobId }) => jobId)
  assert.ok((await client.models.credit(modelId)) >= ROUNDS)
  assert.equal(await client.models.credit(modelId), 0, "no batch gives shares twice")
  for (const jobId of jobs) assert.equal(await client.models.modelOf(jobId), modelId, "a worker can know it beforehand")
  const { holders, shares, owner } = await client.models.read(modelId)
  const worked = new Map<string, bigint>()
  for (const { account, entries } of await client.payouts()) {
    const paid = entries.filter(({ kind, jobId }) => kind === "work" && jobs.includes(jobId!))
    const units = paid.reduce((sum, { amount }) => sum + amount, 0n) / smallRun.fee
    if (units > 0n) worked.set(account.toLowerCase(), units)
  }
  assert.deepEqual(
    new Map(holders.filter(({ account }) => account !== owner).map((one) => [one.account.toLowerCase(), one.shares])),
    worked,
    "a share for every slot that was paid for, and for nothing else",
  )
  assert.equal(shares, BigInt(ROUNDS * SLOTS) + OWN_SHARES)
}

/** Income follows shares, once nobody can be credited any more. */
async function assertIncome(client: Client, deployment: Deployment, run: TrainingRun): Promise<void> {
  const modelId = run.modelId!
  const { shares, owner, holders } = await client.models.read(modelId)
  const amount = 10n * shares
  await client.models.pay(modelId, { jobId: run.rounds[0]!.jobId, amount })
  assert.ok(holders.every(({ claimable }) => claimable === 0n))
  const { models } = deployment.contracts
  const grace = await client.chain.readContract({ address: models, abi: modelRegistryAbi, functionName: "GRACE" })
  const chain = createTestClient({ mode: "hardhat", transport: http(deployment.rpcUrl) })
  await chain.increaseTime({ seconds: Number(grace) + 1 })
  await chain.mine({ blocks: 1 })
  const after = await client.models.read(modelId)
  assert.equal(after.income, amount)
  for (const one of after.holders) assert.equal(one.claimable, 10n * one.shares)
  const balance = () =>
    client.chain.readContract({
      address: deployment.contracts.token,
      abi: assayTokenAbi,
      functionName: "balanceOf",
      args: [owner],
    })
  const before = await balance()
  assert.equal((await client.models.claim([modelId])).amount, 10n * OWN_SHARES)
  assert.equal((await balance()) - before, 10n * OWN_SHARES)
}

const OWN_SHARES = 4n
const PLAN = { jobs: 2 * ROUNDS, unitsPerJob: BigInt(SLOTS), ownShares: OWN_SHARES, royalty: 500 }
const HASH: Hex = `0x${"ab".repeat(32)}`

test("R33: a round closes on its quorum; what comes late is paid and not used, and a crash around a posting pays once", async (t) => {
  const { client, startWorker, ready, until } = await startLocalStack(t)
  const small = smallRunOf("none")
  const slow = startWorker({ backend: join(import.meta.dirname, "support/slowBackend.ts"), seats: 6 })
  for (let i = 0; i < 3; i++) startWorker({ seats: 6 })
  await ready()
  const runner = createRunner()
  t.after(() => runner.close())
  const home = await mkdtemp(join(tmpdir(), "assay-run-"))
  t.after(() => rm(home, { recursive: true }))
  const dir = join(home, "run")
  const plan = {
    program: small.program,
    forward: classifier(),
    parameters: [{ name: "w", dims: [SIZE], offset: 0 }],
    title: "a run",
    rounds: ROUNDS,
    sources: {},
    data: await writeShards(home),
  }
  const folder = await createRunFolder(dir, plan)
  const goOn = async (keep: typeof folder.save) =>
    train(
      { client, runner },
      {
        ...small,
        run: (await openRunFolder(dir)).run,
        rounds: ROUNDS,
        quorum: { slots: 3, seconds: 4 },
        keep,
      },
    )
  const crash = new Error("the process is gone")
  // Before the transaction: what was written down is posted under the same id.
  const before = goOn(async (run) => {
    await folder.save(run)
    if (run.posted) throw crash
  })
  await assert.rejects(before, crash)
  const written = (await openRunFolder(dir)).run.posted
  assert.ok(written && written.tx === undefined)
  assert.equal(await client.postingOf(written.jobId), undefined)
  // After it, and before that was written down: it is found on chain.
  const after = goOn(async (run) => {
    if (run.posted?.tx) throw crash
    await folder.save(run)
  })
  await assert.rejects(after, crash)
  const tx = await client.postingOf(written.jobId)
  assert.ok(tx !== undefined)

  const run = await goOn(folder.save)
  assert.deepEqual([run.rounds[0]!.jobId, run.rounds[0]!.tx], [written.jobId, tx])
  const jobs = await client.jobs()
  assert.equal(jobs.length, ROUNDS, "no round was posted twice")
  assert.equal(await client.models.modelOf(jobs[0]!.jobId), undefined, "a run that opened no model gives no shares")
  assert.ok(
    run.rounds.some(({ slots }) => slots.includes(null)),
    "the slow worker took part, and was not waited for",
  )
  assert.ok(!contributions(run).has(slow.address.toLowerCase() as Hex), "nothing of it is in the model")
  await until("work that nobody waited for is paid all the same", async () =>
    (await client.payouts(slow.address)).some(({ entries }) => entries.some(({ kind }) => kind === "work")),
  )

  const runtime = createRoundRuntime({ runner }, small.program)
  let state = small.program.genesis
  for (const { slots, rates } of run.rounds) {
    const missing = new Set(slots.flatMap((slot, i) => (slot ? [] : [i])))
    ;({ state } = await playRound(runtime, small.program, { state, rates, missing }))
  }
  assert.deepEqual(run.state, state, "those who were in made the very model that they make alone")
  const verified = await verifyRun({ client, runner }, { plan, manifest: await readManifest(dir) })
  assert.deepEqual(
    verified.checks.filter(({ ok }) => ok === false),
    [],
  )
})
