import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { createPublicClient, http, parseEventLogs } from "viem"
import { bundleName, encodeBundle } from "#engine"
import {
  assayTokenAbi,
  challengerCall,
  disputeGameAbi,
  findHash,
  gameIdOf,
  hexOf,
  inputCommitment,
  isChallengersTurn,
  nextChallengerMove,
  sha256,
  shardTasks,
  taskSalt,
  type WorkerEvent,
} from "#protocol"
import { readGame } from "../../../client/disputes/readGame.ts"
import { fetchCoins as takeCoins } from "../../../scripts/shared/coins.ts"
import { createBatchBook } from "../../../worker/chain/batches.ts"
import { openChain } from "../../../worker/chain/chain.ts"
import { createSender } from "../../../worker/chain/sender.ts"
import { createLeafDefence } from "../../../worker/disputes/defendLeaves.ts"
import { createEvents } from "../../../worker/events.ts"
import { createHasher } from "../../../worker/hashing/hasher.ts"
import type { LeaseRecord } from "../../../worker/records/record.ts"
import { createCoinFetch } from "../../../worker/settlement/fetchCoins.ts"
import { type Disputes, inputOf, openDisputes, type Staged, WRONG_TASK } from "../../coordinator/support/disputedJob.ts"
import { missingArtifacts } from "../../coordinator/support/localChain.ts"

const skip = missingArtifacts() ?? false
const SALT = `0x${"05".repeat(32)}` as const
let disputes: Disputes

before(async () => {
  if (!skip) disputes = await openDisputes()
})
after(async () => {
  if (!skip) await disputes.close()
})

/** What the lease of the disputed task left on the worker's disk, as far as a defence reads it. */
async function diskOf({ job }: Staged) {
  const { terms, jobId, jobSalt } = job
  const shard = Math.floor(WRONG_TASK / terms.shardSize)
  const { first, count } = shardTasks(terms, shard)
  const tasks = Array.from({ length: count }, (_, i) => first + i)
  const inputs = encodeBundle(tasks.map((task) => ({ name: bundleName(task, "x"), tensor: inputOf(task) })))
  const { model } = disputes.work
  const files = new Map([inputs, model].map((bytes) => [hexOf(sha256(bytes)), Buffer.from(bytes)]))
  const salts = tasks.map((task) => taskSalt(jobSalt, task))
  const port = (name: string) => ({ name, dtype: "float32" as const, dims: [2, 32] })
  const bundle = {
    lease: { jobId, shard },
    spec: { model: { sha256: hexOf(sha256(model)), inputs: [port("x")] } },
    firstTask: first,
    count,
    salts,
    inputCommitments: tasks.map((task, i) => inputCommitment(salts[i]!, [inputOf(task)])),
    inputs: hexOf(sha256(inputs)),
  }
  const record = { state: "committed", bundle, changedAt: 0 } as unknown as LeaseRecord
  return { records: { all: () => [record] }, cache: { read: async (hash: `0x${string}`) => files.get(hash) } }
}

/** 50 gwei. */
const BASE_FEE = `0x${(50n * 10n ** 9n).toString(16)}`

/** A challenger that holds a right leaf to be wrong, and opens a dispute of it. */
async function open(staged: Staged) {
  const { local } = disputes.market
  const { game, registry, token } = local.deployment.contracts
  const account = await local.fund()
  const { batchId, terms, batch, attestation, signed, position } = staged.params
  const call = { to: game, abi: disputeGameAbi }
  await local.send(account, { to: token, abi: assayTokenAbi, name: "approve", args: [registry, 10n ** 24n] })
  const hash = findHash(account.address, batchId, position, SALT)
  await local.send(account, { ...call, name: "commitFind", args: [hash] })
  // A drawn leaf is its verifiers' for a while.
  await local.warp(16)
  const args = [terms, batch, attestation, signed, position, SALT]
  // On an idle local chain the base fee falls to nothing, and with it the deposit, of which moves are paid (R26).
  await local.client.request({ method: "hardhat_setNextBlockBaseFeePerGas", params: [BASE_FEE] } as never)
  await local.mine()
  await local.send(account, { ...call, name: "open", args, value: 10n ** 17n })
  return { account, disputeId: gameIdOf(batchId, position, account.address) }
}

test("a worker answers a false challenge by itself, to the last byte, and wins when the challenger falls silent", {
  skip,
}, async () => {
  const { market, runner, program, falsified } = disputes
  const { local } = market
  const staged = await disputes.stage([])
  const fromBlock = await local.client.getBlockNumber()
  const { account, disputeId } = await open(staged)
  const told: WorkerEvent[] = []
  const stop = new AbortController()
  const chain = openChain({ rpcUrl: local.rpcUrl, deployment: local.deployment })
  const hasher = createHasher()
  const defence = createLeafDefence({
    ...(await diskOf(staged)),
    chain,
    sender: createSender(chain, staged.worker.account),
    account: staged.worker.address,
    batches: createBatchBook(chain),
    hasher,
    runner,
    backends: { work: {} },
    events: createEvents((event) => told.push(event)),
    signal: stop.signal,
  })
  try {
    // As after a restart: the opening is found on the chain.
    await defence.onHead()
    const reader = createPublicClient({ transport: http(local.rpcUrl) })
    const { game } = local.deployment.contracts
    // What the challenger believes: one inner wire is otherwise.
    const own = falsified(staged.own, [30])
    let refuted = false
    for (;;) {
      await sleep(200)
      const { record } = await readGame(reader, { game, disputeId, fromBlock })
      if (!record || record.turn.phase === "Over") {
        if (record) break
        continue
      }
      if (!isChallengersTurn(record) || refuted) continue
      const { turn, shown } = record
      const move = nextChallengerMove({ turn, shown, own, program })
      if (move.move === "pick") {
        const { functionName, args } = challengerCall(move, { record, ...staged.params }, program)
        await local.send(account, { to: game, abi: disputeGameAbi, name: functionName, args })
      } else {
        assert.equal(move.move, "proveElement")
        const { functionName, args } = challengerCall(move as never, { record, ...staged.params }, program)
        await assert.rejects(
          local.send(account, { to: game, abi: disputeGameAbi, name: functionName, args }),
          /DisputeNoFault/,
        )
        refuted = true
        await local.warp(30)
      }
    }
    const logs = await reader.getLogs({ address: game, fromBlock })
    const ended = parseEventLogs({ abi: disputeGameAbi, logs, eventName: "DisputeEnded" })
    assert.equal(ended.length, 1)
    assert.equal(ended[0]!.args.outcome, 2)
    const mover = staged.worker.address
    const fetchCoins = createCoinFetch({
      chain,
      sender: createSender(chain, staged.worker.account),
      account: mover,
      events: createEvents((event) => told.push(event)),
    })
    const before = await reader.getBalance({ address: mover })
    await fetchCoins()
    assert.equal(await chain.game.read.movesOf([disputeId, mover]), 0n, "its share is claimed")
    assert.equal(await chain.game.read.coinsOf([mover]), 0n, "and taken")
    const fetched = told.filter((event) => event.kind === "coins")
    assert.equal(fetched.length, 1)
    assert.ok((await reader.getBalance({ address: mover })) > before, "for less gas than it brings")
    await fetchCoins()
    assert.equal(told.filter((event) => event.kind === "coins").length, 1, "and not twice")
    // The challenger sent more than the deposit, and what was too much waits for it.
    const challenger = { chain: reader, rpcUrl: local.rpcUrl, account, deployment: local.deployment }
    const had = await reader.getBalance({ address: account.address })
    const { fetched: back } = await takeCoins(challenger)
    assert.ok(back > 0n && (await reader.getBalance({ address: account.address })) > had)
    assert.deepEqual(await takeCoins(challenger), { fetched: 0n, left: 0n })
    const moves = told.filter((event) => event.kind === "disputed").map((event) => event.move)
    assert.deepEqual(moves.slice(0, 4), ["publish", "reveal", "revealTensor", "revealChunk"])
    assert.deepEqual(
      told.filter(({ kind }) => kind === "error"),
      [],
    )
  } finally {
    stop.abort()
    await hasher.close()
  }
})

test("a worker whose leaf is wrong says so and shows nothing", { skip }, async () => {
  const { market, runner, program } = disputes
  const { local } = market
  const staged = await disputes.stage([program.program.outputs[0]!])
  await open(staged)
  const told: WorkerEvent[] = []
  const stop = new AbortController()
  const chain = openChain({ rpcUrl: local.rpcUrl, deployment: local.deployment })
  const hasher = createHasher()
  const defence = createLeafDefence({
    ...(await diskOf(staged)),
    chain,
    sender: createSender(chain, staged.worker.account),
    account: staged.worker.address,
    batches: createBatchBook(chain),
    hasher,
    runner,
    backends: { work: {} },
    events: createEvents((event) => told.push(event)),
    signal: stop.signal,
  })
  try {
    await defence.onHead()
    for (let i = 0; i < 100 && told.length === 0; i++) await sleep(100)
    assert.deepEqual(
      told.map((event) => "code" in event && event.code),
      ["WORKER_LEAF_WRONG"],
    )
  } finally {
    stop.abort()
    await hasher.close()
  }
})
