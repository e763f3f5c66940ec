import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, type TestContext, test } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { eq } from "drizzle-orm"
import { createPublicClient, http } from "viem"
import {
  type AuditBundle,
  assayTokenAbi,
  buildInputTree,
  challengerCall,
  disputeGameAbi,
  findHash,
  inputCommitment,
  inputPath,
  isChallengersTurn,
  nextChallengerMove,
  type SignedVerdict,
  type TaskResult,
  type Trace,
  taskSalt,
  timeoutCall,
  type WorkerEvent,
} from "#protocol"
import { verdictGameIdOf } from "#protocol/disputes/ids.ts"
import { readGame } from "../../../client/disputes/readGame.ts"
import { nextAudit } from "../../../coordinator/audits/nextAudit.ts"
import { storeVerdicts } from "../../../coordinator/audits/storeVerdicts.ts"
import { attestationStruct, batchStruct } from "../../../coordinator/batches/batchRow.ts"
import { batches } from "../../../coordinator/store/schema.ts"
import type { Peer } from "../../../worker/api/peer.ts"
import { openArtifactCache } from "../../../worker/artifacts/cache.ts"
import { createBatchBook } from "../../../worker/chain/batches.ts"
import { openChain } from "../../../worker/chain/chain.ts"
import { createSender } from "../../../worker/chain/sender.ts"
import { createVerdictStand } from "../../../worker/disputes/standByVerdicts.ts"
import { createEvents } from "../../../worker/events.ts"
import { createHasher } from "../../../worker/hashing/hasher.ts"
import { type Disputes, inputOf, openDisputes } from "../../coordinator/support/disputedJob.ts"
import { missingArtifacts } from "../../coordinator/support/localChain.ts"
import type { Party } from "../../coordinator/support/marketFixture.ts"

const skip = missingArtifacts() ?? false
const SALT = `0x${"06".repeat(32)}` as const
const TASKS = 16
/** An inner wire; what a challenger that is wrong believes in. */
const WIRE = 30
let disputes: Disputes

before(async () => {
  if (!skip) disputes = await openDisputes()
})
after(async () => {
  if (!skip) await disputes.close()
})

type Given = { by: Party; bundle: AuditBundle; signed: SignedVerdict }

/** An honest batch, attested, and the verdict of one drawn verifier on one sample, with what it was audited from. */
async function audited(answerOf: (trace: Trace) => TaskResult): Promise<Given & { jobSalt: `0x${string}` }> {
  const { market, work, traces, verifiers, resultOf } = disputes
  const worker = await market.worker(1)
  const job = await market.postJob({ tasks: TASKS, shardSize: 4, auditRate: 1_000 }, work)
  for (let shard = 0; shard < TASKS / 4; shard++) {
    await market.compute(job, shard, worker, (task) => resultOf(traces[task]!))
  }
  const { db, chain, artifacts, contexts, wake } = market
  const state = async () => (await db.select().from(batches).where(eq(batches.jobId, job.jobId)))[0]?.state
  let given: Given | undefined
  await market.until(
    "the batch is attested",
    async () => (await state()) === "attested",
    async () => {
      for (const by of verifiers) {
        const bundle = await nextAudit({ db, chain, artifacts, contexts }, { account: by.address })
        if (!bundle || bundle.terms.programRoot !== work.programRoot) continue
        const all = await market.verdictsFor(bundle, by, (task) => answerOf(traces[task]!))
        await storeVerdicts({ db, chain, wake }, { account: by.address, batchId: bundle.batchId, signed: all })
        given ??= { by, bundle, signed: all[0]! }
      }
    },
  )
  assert.ok(given, "somebody was drawn")
  return { ...given, jobSalt: job.jobSalt }
}

/** A challenger that disputes the verdict itself. */
async function open({ bundle, signed, jobSalt }: Given & { jobSalt: `0x${string}` }) {
  const { market } = disputes
  const { local, db } = market
  const { game, registry, token } = local.deployment.contracts
  const { verdict, signature } = signed
  const account = await local.fund()
  await local.send(account, { to: token, abi: assayTokenAbi, name: "approve", args: [registry, 10n ** 24n] })
  const call = { to: game, abi: disputeGameAbi }
  const hash = findHash(account.address, verdict.batchId, verdict.position, SALT)
  await local.send(account, { ...call, name: "commitFind", args: [hash] })
  // A drawn leaf is its verifiers' for a while.
  await local.warp(16)
  const [row] = await db.select().from(batches).where(eq(batches.batchId, verdict.batchId))
  const commitments = Array.from({ length: TASKS }, (_, i) => inputCommitment(taskSalt(jobSalt, i), [inputOf(i)]))
  const { taskIndex } = bundle.samples.find(({ position }) => position === verdict.position)!
  const args = [
    bundle.terms,
    batchStruct(row!),
    attestationStruct(row!),
    verdict,
    signature,
    commitments[taskIndex],
    inputPath(buildInputTree(commitments), taskIndex),
    SALT,
  ]
  await local.send(account, { ...call, name: "openVerdict", args, value: 10n ** 17n })
  const disputeId = verdictGameIdOf(verdict.batchId, verdict.position, account.address, verdict.verifier)
  return { account, disputeId, taskIndex, context: { terms: bundle.terms, batch: batchStruct(row!) } }
}

/** The verifier's half of a worker, on a disk and a chain of its own. */
async function standOf(t: TestContext, { by, bundle }: Given) {
  const { market, runner, work } = disputes
  const { local, artifacts } = market
  const folder = await mkdtemp(join(tmpdir(), "assay-stand-"))
  const told: WorkerEvent[] = []
  const stop = new AbortController()
  const chain = openChain({ rpcUrl: local.rpcUrl, deployment: local.deployment })
  const hasher = createHasher()
  t.after(async () => {
    stop.abort()
    await hasher.close()
    await rm(folder, { recursive: true, force: true })
  })
  const download: Peer["download"] = async (sha256) =>
    (async function* () {
      yield await artifacts.read(sha256)
    })()
  const stand = createVerdictStand({
    chain,
    sender: createSender(chain, by.account),
    account: by.address,
    batches: createBatchBook(chain),
    folder,
    cache: await openArtifactCache({ root: join(folder, "cache"), limitBytes: 2 ** 30 }),
    peer: { download } as Peer,
    hasher,
    runner,
    events: createEvents((event) => told.push(event)),
    signal: stop.signal,
  })
  // The fixture's jobs say little of their model; what a verifier keeps says what it takes.
  const { model } = bundle.spec
  const inputs = [{ name: "x", dtype: "float32" as const, dims: [2, 32] }]
  assert.equal(model.bytes, work.model.length)
  await stand.given({ ...bundle, spec: { ...bundle.spec, model: { ...model, inputs } } })
  return { stand, told }
}

const reader = () => createPublicClient({ transport: http(disputes.market.local.rpcUrl) })

const stakedOf = async ({ address }: Party) => {
  const { local } = disputes.market
  const chain = openChain({ rpcUrl: local.rpcUrl, deployment: local.deployment })
  return (await chain.registry.read.stakerOf([address]))[0]
}

test("R27: a verifier whose right verdict is disputed shows everything by itself, and keeps its seat's stake", {
  skip,
}, async (t) => {
  const { market, program, traces, resultOf, falsified } = disputes
  const { local } = market
  const given = await audited(resultOf)
  const before = await stakedOf(given.by)
  const fromBlock = await local.client.getBlockNumber()
  const { account, disputeId, taskIndex, context } = await open(given)
  const { stand, told } = await standOf(t, given)
  // As after a restart: the opening is found on the chain.
  await stand.onHead()
  const { game } = local.deployment.contracts
  const own = falsified(traces[taskIndex]!, [WIRE])
  for (let silent = false; ; ) {
    await sleep(200)
    const { record } = await readGame(reader(), { game, disputeId, fromBlock })
    if (record?.turn.phase === "Over") {
      assert.equal(record.outcome, "upheld")
      break
    }
    if (!record || silent || !isChallengersTurn(record)) continue
    const move = nextChallengerMove({ turn: record.turn, shown: record.shown, own, program })
    const { functionName, args } = challengerCall(move as never, { record, ...context }, program)
    const moving = local.send(account, { to: game, abi: disputeGameAbi, name: functionName, args })
    if (move.move === "pick") await moving
    else {
      await assert.rejects(moving, /DisputeNoFault/)
      silent = true
      await local.warp(30)
    }
  }
  const moves = told.flatMap((event) => (event.kind === "disputed" ? [event.move] : []))
  assert.deepEqual(moves.slice(0, 4), ["publish", "reveal", "revealTensor", "revealChunk"])
  assert.equal(await stakedOf(given.by), before)
})

test("R22, R27: a verifier whose false verdict is disputed has nothing to show, and loses its seat's C_v", {
  skip,
}, async (t) => {
  const { market, resultOf, falsified, program } = disputes
  const { local } = market
  // It vouches for another answer than the one that is committed: the accuser would post it, a challenger disputes it.
  const given = await audited((trace) => resultOf(falsified(trace, [program.program.outputs[0]!])))
  const before = await stakedOf(given.by)
  const fromBlock = await local.client.getBlockNumber()
  const { account, disputeId, context } = await open(given)
  const { stand } = await standOf(t, given)
  await stand.onHead()
  const { game } = local.deployment.contracts
  const read = async () => (await readGame(reader(), { game, disputeId, fromBlock })).record!
  await sleep(3_000)
  assert.equal((await read()).turn.phase, "Publish", "no trace of its own has that output")
  await local.warp(30)
  const { functionName, args } = timeoutCall({ record: await read(), ...context })
  await local.send(account, { to: game, abi: disputeGameAbi, name: functionName, args })
  assert.equal((await read()).outcome, "refuted")
  assert.ok((await stakedOf(given.by)) < before, "C_v is gone")
})
