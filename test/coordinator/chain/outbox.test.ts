import assert from "node:assert/strict"
import { after, test } from "node:test"
import { asc, eq, sql } from "drizzle-orm"
import { pino } from "pino"
import { decodeFunctionData, type Hex, parseAbi } from "viem"
import { createOutbox, nextGroup } from "../../../coordinator/chain/outbox/outbox.ts"
import { createWake } from "../../../coordinator/chain/wake.ts"
import { type Db, openDatabase } from "../../../coordinator/store/database.ts"
import { outboxSenders, outbox as outboxTable, outboxTxs } from "../../../coordinator/store/schema.ts"
import { createScriptedChain } from "../support/scriptedChain.ts"

const SENDER = "0x00000000000000000000000000000000000000aa"
const MARKET = "0x00000000000000000000000000000000000000bb"
const multicall = parseAbi(["function multicall(bytes[] data) returns (bytes[] results)"])

const database = await openDatabase({})
after(() => database.close())

async function setUp(options: { bumpAfterMs?: number; lostAfterMs?: number } = {}) {
  const { db } = database
  for (const table of [outboxTable, outboxTxs, outboxSenders]) await db.delete(table)
  const node = createScriptedChain(SENDER)
  const log = pino({ level: "silent" })
  const make = (holder: string) =>
    createOutbox({ db, chain: node.chain, wake: createWake(), log }, { holder, bumpAfterMs: 60_000, ...options })
  return { db, node, outbox: make("a"), make }
}

const call = (key: string, data: Hex, rank?: number) =>
  ({
    key,
    kind: "test",
    to: MARKET,
    data,
    ...(rank === undefined ? {} : { rank }),
  }) as const

const rowsOf = (db: Db) => db.select().from(outboxTable).orderBy(asc(outboxTable.id))
const txsOf = (db: Db) => db.select().from(outboxTxs).orderBy(asc(outboxTxs.id))
const ripen = (db: Db) => db.update(outboxTable).set({ notBefore: sql`now()` })

test("behavior: a key is queued once, and its call is done when it is mined", async () => {
  const { db, node, outbox } = await setUp()
  assert.equal(await outbox.enqueue(db, call("one", "0x01")), true)
  assert.equal(await outbox.enqueue(db, call("one", "0x01")), false)
  await outbox.step()
  assert.equal((await rowsOf(db))[0]!.state, "sent")
  node.mine()
  await outbox.step()
  const [row] = await rowsOf(db)
  assert.equal(row!.state, "done")
  assert.equal((await txsOf(db))[0]!.state, "mined")
})

test("behavior: a state change that is rolled back takes its call with it", async () => {
  const { db, outbox } = await setUp()
  await assert.rejects(
    db.transaction(async (t) => {
      await outbox.enqueue(t, call("one", "0x01"))
      throw new Error("the state did not change after all")
    }),
  )
  assert.equal((await rowsOf(db)).length, 0)
})

test("behavior: calls that are ripe together go into one multicall, in the order of their ranks", async () => {
  const { db, node, outbox } = await setUp()
  await outbox.enqueue(db, call("commit", "0xcc", 4))
  await outbox.enqueue(db, call("attest", "0xaa", 3))
  await outbox.enqueue(db, call("finalize", "0xff", 0))
  await outbox.step()
  const txs = await txsOf(db)
  assert.equal(txs.length, 1)
  const { args } = decodeFunctionData({ abi: multicall, data: txs[0]!.data })
  assert.deepEqual(args[0], ["0xff", "0xaa", "0xcc"])
  node.mine()
  await outbox.step()
  assert.deepEqual(
    (await rowsOf(db)).map(({ state }) => state),
    ["done", "done", "done"],
  )
})

test("behavior: a call that would revert is postponed with the contract's reason, the others go without it", async () => {
  const { db, node, outbox } = await setUp()
  node.reverts.set("0xff", { name: "BatchTooEarly", text: "BatchTooEarly(7, 99)" })
  await outbox.enqueue(db, call("finalize", "0xff", 0))
  await outbox.enqueue(db, call("commit", "0xcc", 4))
  await outbox.enqueue(db, call("attest", "0xaa", 3))
  await outbox.step()
  const [finalize, commit, attest] = await rowsOf(db)
  assert.equal(finalize!.state, "queued")
  assert.equal(finalize!.errorName, "BatchTooEarly")
  assert.equal(finalize!.error, "BatchTooEarly(7, 99)")
  assert.ok(finalize!.notBefore.getTime() > Date.now())
  assert.equal(commit!.state, "sent")
  assert.equal(attest!.txId, commit!.txId)
  node.reverts.clear()
  node.mine()
  await ripen(db)
  await outbox.step()
  node.mine()
  await outbox.step()
  assert.equal((await rowsOf(db))[0]!.state, "done")
})

test("behavior: a call that keeps reverting is given up after its attempts", async () => {
  const { db, node, outbox } = await setUp()
  node.reverts.set("0x0bad", { name: "JobOver", text: "JobOver(1, 2)" })
  await outbox.enqueue(db, { ...call("bad", "0x0bad"), maxAttempts: 2 })
  await outbox.step()
  await ripen(db)
  await outbox.step()
  const [row] = await rowsOf(db)
  assert.equal(row!.state, "failed")
  assert.equal(row!.attempts, 2)
  assert.equal(node.broadcasts.length, 0)
})

test("behavior: after a crash between signing and broadcast the same bytes go out again, under the same nonce", async () => {
  const { db, node, outbox, make } = await setUp()
  await outbox.enqueue(db, call("one", "0x01"))
  const broadcast = node.chain.broadcast
  node.chain.broadcast = () => Promise.reject(new Error("killed"))
  await assert.rejects(outbox.step(), /killed/)
  node.chain.broadcast = broadcast
  assert.equal(node.pool.size, 0)
  await db.delete(outboxSenders)
  await make("b").step()
  assert.deepEqual([...node.pool.keys()], [0])
  assert.equal((await txsOf(db)).length, 1)
  await outbox.enqueue(db, call("two", "0x02"))
  await make("b").step()
  assert.deepEqual([...node.pool.keys()], [0, 1])
})

test("behavior: a stuck transaction is replaced by one with the same nonce and a higher fee", async () => {
  const { db, node, outbox } = await setUp({ bumpAfterMs: 0 })
  await outbox.enqueue(db, call("one", "0x01"))
  await outbox.step()
  node.setBaseFee(1_000n)
  assert.equal(node.mine(2_000n).length, 0)
  await outbox.step()
  const [tx] = await txsOf(db)
  assert.equal(tx!.hashes.length >= 2, true)
  assert.equal(tx!.maxFeePerGas >= 2_000n, true)
  assert.equal(node.mine(2_000n).length, 1)
  await outbox.step()
  assert.equal((await rowsOf(db))[0]!.state, "done")
  assert.equal((await txsOf(db)).length, 1)
})

test("behavior: when another program took the nonce, the call is sent again under the next one", async () => {
  const { db, node, outbox } = await setUp({ lostAfterMs: 0 })
  await outbox.enqueue(db, call("one", "0x01"))
  await outbox.step()
  node.steal()
  await outbox.step()
  assert.deepEqual([...node.pool.keys()], [1])
  node.mine()
  await outbox.step()
  assert.equal((await rowsOf(db))[0]!.state, "done")
  assert.deepEqual(
    (await txsOf(db)).map(({ state }) => state),
    ["lost", "mined"],
  )
})

test("behavior: only one replica sends for a key; another takes over when its term has ended", async () => {
  const { db, node, outbox, make } = await setUp()
  await outbox.step()
  const other = make("b")
  await outbox.enqueue(db, call("one", "0x01"))
  await other.step()
  assert.equal(node.broadcasts.length, 0)
  await db.update(outboxSenders).set({ until: sql`now() - interval '1 second'` })
  await other.step()
  assert.equal(node.broadcasts.length, 1)
  await outbox.step()
  assert.equal((await txsOf(db)).length, 1)
})

test("behavior: nothing that was meant for one chain is sent to another that took its place", async () => {
  const { db, node, outbox } = await setUp()
  await outbox.enqueue(db, call("one", "0x01"))
  await outbox.step()
  await outbox.enqueue(db, call("two", "0x02"))
  const before = node.broadcasts.length
  node.startAnew()
  await assert.rejects(outbox.step(), /another chain/)
  assert.equal(node.broadcasts.length, before)
})

test("behavior: a reorg puts mined transactions back into flight, and the same bytes are mined again", async () => {
  const { db, node, outbox } = await setUp()
  await outbox.enqueue(db, call("one", "0x01"))
  await outbox.step()
  const ancestor = node.block
  node.mine()
  await outbox.step()
  node.reorgTo(ancestor)
  await db.transaction((t) => outbox.rollback(t, ancestor))
  assert.equal((await rowsOf(db))[0]!.state, "sent")
  await outbox.step()
  node.mine()
  await outbox.step()
  const [tx] = await txsOf(db)
  assert.equal(tx!.state, "mined")
  assert.equal(tx!.hashes.length, 1)
  assert.equal((await db.select().from(outboxTable).where(eq(outboxTable.state, "done"))).length, 1)
})

test("behavior: pipelined calls wait for those in flight, others do not", () => {
  const row = (id: number, pipelined: boolean, rank = 0) => ({ id, to: MARKET, pipelined, rank })
  assert.deepEqual(nextGroup([row(1, true), row(2, false)], true), [row(2, false)])
  assert.deepEqual(nextGroup([row(1, true)], true), undefined)
  assert.deepEqual(nextGroup([row(1, true, 4), row(2, false), row(3, true, 0)], false), [
    row(3, true, 0),
    row(1, true, 4),
  ])
})
