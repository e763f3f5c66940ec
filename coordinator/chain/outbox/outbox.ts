import { and, asc, eq, gt, inArray, lte, sql } from "drizzle-orm"
import type { Logger } from "pino"
import { type Address, encodeFunctionData, type Hex, parseAbi } from "viem"
import type { Db } from "../../store/database.ts"
import { outbox as outboxTable, outboxTxs } from "../../store/schema.ts"
import { runLoop } from "../loop.ts"
import type { Revert } from "../revert.ts"
import type { Wake } from "../wake.ts"
import { enqueueCall, type OutboxCall } from "./call.ts"
import { holdSender, releaseSender, stillHolds } from "./election.ts"
import type { Fees, OutboxChain, TxBody } from "./outboxChain.ts"

export type OutboxDeps = { db: Db; chain: OutboxChain; wake: Wake; log: Logger }

export type OutboxOptions = {
  /** This process among the replicas. */
  holder: string
  /** A transaction that no block took for so long goes out again with a higher fee. */
  bumpAfterMs?: number
  /** How long a nonce must have been used by something unknown before the calls go back to the queue. */
  lostAfterMs?: number
  everyMs?: number
}

export type Outbox = {
  readonly sender: Address
  /** Inside the transaction `db` of the state that causes the call. Wake the outbox after it: `wake.notify("outbox")`. */
  enqueue(db: Db, call: OutboxCall): Promise<boolean>
  /** Transactions above the ancestor are unmined again, inside the follower's transaction. */
  rollback(db: Db, ancestor: number): Promise<void>
  /** One round: settle, bump, send. */
  step(): Promise<void>
  start(signal: AbortSignal): Promise<void>
}

type Row = typeof outboxTable.$inferSelect
type TxRow = typeof outboxTxs.$inferSelect

const multicallAbi = parseAbi(["function multicall(bytes[] data) returns (bytes[] results)"])

const HOLD_SECONDS = 20
const MAX_IN_FLIGHT = 8
/** A node may have dropped a transaction that it once had. */
const REBROADCAST_MS = 5_000
const MAX_PIPELINED = 12
const MAX_PAUSE_S = 15
/** EIP-7825 caps a transaction at 2^24 gas; a multicall must leave room for its estimate to be wrong. */
const GAS_CAP = 16_777_216n
const PIPELINE_GAS = 12_000_000n

/**
 * Sends what the database says must be sent, in order, from one key. A transaction is signed and stored before it is
 * broadcast, so a crash at any point leaves either nothing or the very bytes that go out again; a nonce is never
 * given to two of them.
 */
export function createOutbox(
  { db, chain, wake, log }: OutboxDeps,
  { holder, bumpAfterMs = 30_000, lostAfterMs = 5_000, everyMs = 1_000 }: OutboxOptions,
): Outbox {
  const sender = chain.sender.toLowerCase() as Address
  const me = { sender, holder }
  const lostSince = new Map<number, number>()
  const broadcastAt = new Map<number, number>()

  async function step(): Promise<void> {
    if (!(await holdSender(db, { ...me, seconds: HOLD_SECONDS }))) return
    if (await isIdle()) return
    // A local chain that was restarted has the same id and accounts: nothing that was meant for the old one goes out.
    await chain.check()
    await settle()
    await sendQueued()
  }

  async function isIdle(): Promise<boolean> {
    const [open] = await db
      .select({ id: outboxTable.id })
      .from(outboxTable)
      .where(and(eq(outboxTable.sender, sender), inArray(outboxTable.state, ["queued", "sent"])))
      .limit(1)
    return open === undefined
  }

  // ---------------------------------------------------------------- what is in flight

  async function inFlight(): Promise<TxRow[]> {
    return db
      .select()
      .from(outboxTxs)
      .where(and(eq(outboxTxs.sender, sender), eq(outboxTxs.state, "sent")))
      .orderBy(asc(outboxTxs.nonce))
  }

  async function settle(): Promise<void> {
    let progress = false
    for (const tx of await inFlight()) {
      // Every attempt may be the one that was mined.
      let settled = false
      for (const hash of [...tx.hashes].reverse()) {
        const mined = await chain.mined(hash)
        if (!mined) continue
        await (mined.success ? succeed(tx, mined) : fail(tx, mined))
        settled = true
        break
      }
      if (settled) {
        lostSince.delete(tx.id)
        broadcastAt.delete(tx.id)
        progress = true
      } else if ((await chain.minedNonce()) > tx.nonce) progress = (await lose(tx)) || progress
      else await again(tx)
    }
    if (progress) wake.notify("outbox")
  }

  type MinedAt = { block: number; hash: Hex; gasUsed: bigint }

  async function succeed(tx: TxRow, { block, hash, gasUsed }: MinedAt): Promise<void> {
    await db.transaction(async (t) => {
      await t
        .update(outboxTxs)
        .set({ state: "mined", minedBlock: block, minedHash: hash, gasUsed })
        .where(eq(outboxTxs.id, tx.id))
      await t
        .update(outboxTable)
        .set({ state: "done", endedAt: new Date(), error: null, errorName: null })
        .where(eq(outboxTable.txId, tx.id))
    })
    log.info({ tx: hash, block, gasUsed: gasUsed.toString(), calls: await kindsOf(tx) }, "transaction mined")
  }

  async function fail(tx: TxRow, { block, hash, gasUsed }: MinedAt): Promise<void> {
    const revert = (await chain.revertAt(tx, block)) ?? { name: "Reverted", text: "reverted, and the replay does not" }
    log.warn({ tx: hash, block, reason: revert.text, calls: await kindsOf(tx) }, "transaction reverted")
    await db.transaction(async (t) => {
      await t
        .update(outboxTxs)
        .set({ state: "reverted", minedBlock: block, minedHash: hash, gasUsed })
        .where(eq(outboxTxs.id, tx.id))
      const rows = await t.select().from(outboxTable).where(eq(outboxTable.txId, tx.id))
      for (const row of rows) await postpone(t, row, revert)
    })
  }

  /** The nonce is used, but by none of our attempts: another program has the key, or the node has yet to see it. */
  async function lose(tx: TxRow): Promise<boolean> {
    const since = lostSince.get(tx.id) ?? Date.now()
    lostSince.set(tx.id, since)
    if (Date.now() - since < lostAfterMs) return false
    lostSince.delete(tx.id)
    log.error({ nonce: tx.nonce, hashes: tx.hashes }, "nonce used by another transaction; its calls are queued again")
    await db.transaction(async (t) => {
      await t.update(outboxTxs).set({ state: "lost" }).where(eq(outboxTxs.id, tx.id))
      await t.update(outboxTable).set({ state: "queued", txId: null }).where(eq(outboxTable.txId, tx.id))
    })
    return true
  }

  /** The same bytes once more (a node may have dropped them), or a higher fee after a while. */
  async function again(tx: TxRow): Promise<void> {
    if (Date.now() - tx.sentAt.getTime() < bumpAfterMs) {
      if (Date.now() - (broadcastAt.get(tx.id) ?? 0) < REBROADCAST_MS) return
      broadcastAt.set(tx.id, Date.now())
      return chain.broadcast(tx.raw)
    }
    const now = await chain.fees()
    // Nodes want a tenth more in both fields for a replacement; an eighth leaves room for their rounding.
    const bump = (old: bigint, current: bigint): bigint => (current > (old * 9n) / 8n ? current : (old * 9n) / 8n + 1n)
    const fees: Fees = {
      maxFeePerGas: bump(tx.maxFeePerGas, now.maxFeePerGas),
      maxPriorityFeePerGas: bump(tx.maxPriorityFeePerGas, now.maxPriorityFeePerGas),
    }
    const { raw, hash } = await chain.sign({ ...tx, ...fees })
    await db
      .update(outboxTxs)
      .set({ ...fees, raw, hashes: [...tx.hashes, hash], sentAt: new Date() })
      .where(eq(outboxTxs.id, tx.id))
    log.warn({ nonce: tx.nonce, tx: hash, maxFeePerGas: fees.maxFeePerGas.toString() }, "transaction stuck, fee raised")
    await chain.broadcast(raw)
  }

  async function kindsOf(tx: TxRow): Promise<string[]> {
    const rows = await db.select({ key: outboxTable.key }).from(outboxTable).where(eq(outboxTable.txId, tx.id))
    return rows.map(({ key }) => key)
  }

  // ---------------------------------------------------------------- what waits

  async function sendQueued(): Promise<void> {
    for (;;) {
      const flying = await inFlight()
      if (flying.length >= MAX_IN_FLIGHT) return
      const rows = await db
        .select()
        .from(outboxTable)
        .where(
          and(eq(outboxTable.sender, sender), eq(outboxTable.state, "queued"), lte(outboxTable.notBefore, new Date())),
        )
        .orderBy(asc(outboxTable.id))
        .limit(64)
      if (rows.length === 0) return
      // A commit changes what the next one may lock, so pipelined calls wait for those before them.
      const busy = flying.length > 0 && (await pipelinedAmong(flying))
      const group = nextGroup(rows, busy)
      if (!group) return
      await sendGroup(group)
      await settle()
    }
  }

  async function pipelinedAmong(txs: TxRow[]): Promise<boolean> {
    const rows = await db
      .select({ id: outboxTable.id })
      .from(outboxTable)
      .where(
        and(
          inArray(
            outboxTable.txId,
            txs.map(({ id }) => id),
          ),
          eq(outboxTable.pipelined, true),
        ),
      )
      .limit(1)
    return rows.length > 0
  }

  async function sendGroup(group: Row[]): Promise<void> {
    const fitting = await fittingBundle(group)
    if (!fitting) return
    const { rows, body, gas } = fitting
    const fees = await chain.fees()
    const [pending, [{ top } = { top: null }]] = await Promise.all([
      chain.pendingNonce(),
      db
        .select({ top: sql<string | null>`max(${outboxTxs.nonce})` })
        .from(outboxTxs)
        .where(and(eq(outboxTxs.sender, sender), eq(outboxTxs.state, "sent"))),
    ])
    const nonce = Math.max(pending, top === null ? 0 : Number(top) + 1)
    const padded = (gas * 5n) / 4n + 25_000n
    const signed = { ...body, ...fees, nonce, gas: padded < GAS_CAP ? padded : GAS_CAP }
    const { raw, hash } = await chain.sign(signed)
    const txId = await db.transaction(async (t) => {
      if (!(await stillHolds(t, me))) return undefined
      const [row] = await t
        .insert(outboxTxs)
        .values({ ...signed, sender, raw, hashes: [hash], state: "sent" })
        .returning({ id: outboxTxs.id })
      await t
        .update(outboxTable)
        .set({ state: "sent", txId: row!.id })
        .where(
          inArray(
            outboxTable.id,
            rows.map(({ id }) => id),
          ),
        )
      return row!.id
    })
    if (txId === undefined) return
    broadcastAt.set(txId, Date.now())
    log.info({ tx: hash, nonce, calls: rows.map(({ key }) => key) }, "transaction sent")
    await chain.broadcast(raw)
  }

  /** The calls of the group that would succeed together; those that would not are postponed with the reason. */
  async function fittingBundle(group: Row[]): Promise<{ rows: Row[]; body: TxBody; gas: bigint } | undefined> {
    const whole = await bundle(group)
    if (whole) return whole
    const ripe: Row[] = []
    for (const row of group) {
      const result = await chain.simulate(bodyOf([row]))
      if ("gas" in result) ripe.push(row)
      else await postpone(db, row, result.revert)
    }
    // Calls may pass alone and not together (two commits that need the same collateral): then the first goes alone.
    return (ripe.length < group.length && (await bundle(ripe))) || (await bundle(ripe.slice(0, 1)))
  }

  async function bundle(rows: Row[]): Promise<{ rows: Row[]; body: TxBody; gas: bigint } | undefined> {
    if (rows.length === 0) return undefined
    const body = bodyOf(rows)
    const result = await chain.simulate(body)
    if ("revert" in result || (rows.length > 1 && result.gas > PIPELINE_GAS)) return undefined
    return { rows, body, gas: result.gas }
  }

  /** Tried again later, or given up: whoever queued it looks at `failed` rows. */
  async function postpone(at: Db, row: Row, revert: Revert): Promise<void> {
    const attempts = row.attempts + 1
    const failed = attempts >= row.maxAttempts
    const pauseMs = Math.min(MAX_PAUSE_S, 0.5 * 2 ** Math.min(row.attempts, 10)) * 1000
    await at
      .update(outboxTable)
      .set({
        state: failed ? "failed" : "queued",
        attempts,
        txId: null,
        notBefore: new Date(Date.now() + pauseMs),
        errorName: revert.name,
        error: revert.text,
        endedAt: failed ? new Date() : null,
      })
      .where(eq(outboxTable.id, row.id))
    log.warn({ key: row.key, attempts, failed, reason: revert.text }, "call would revert")
    if (failed) wake.notify("outbox")
  }

  async function rollback(at: Db, ancestor: number): Promise<void> {
    const back = await at
      .update(outboxTxs)
      .set({ state: "sent", minedBlock: null, minedHash: null, gasUsed: null })
      .where(and(eq(outboxTxs.sender, sender), eq(outboxTxs.state, "mined"), gt(outboxTxs.minedBlock, ancestor)))
      .returning({ id: outboxTxs.id })
    if (back.length === 0) return
    await at
      .update(outboxTable)
      .set({ state: "sent", endedAt: null })
      .where(
        inArray(
          outboxTable.txId,
          back.map(({ id }) => id),
        ),
      )
  }

  return {
    sender,
    enqueue: (at, call) => enqueueCall({ db: at, sender }, call),
    rollback,
    step,
    async start(signal) {
      await runLoop({ wake, log }, { name: "outbox", topics: ["outbox", "tick"], everyMs, signal, step })
      // The next replica, or this one after a restart, need not wait for the term to end.
      await releaseSender(db, me)
    },
  }
}

/** The oldest ripe call, with all others of its target that may travel with it. */
export function nextGroup<R extends { to: string; pipelined: boolean; rank: number; id: number }>(
  rows: readonly R[],
  pipelineBusy: boolean,
): R[] | undefined {
  const first = rows.find((row) => !(row.pipelined && pipelineBusy))
  if (!first) return undefined
  if (!first.pipelined) return [first]
  return rows
    .filter((row) => row.pipelined && row.to === first.to)
    .sort((a, b) => a.rank - b.rank || a.id - b.id)
    .slice(0, MAX_PIPELINED)
}

function bodyOf(rows: readonly Row[]): TxBody {
  const [first] = rows
  if (rows.length === 1) return { to: first!.to, data: first!.data, value: first!.value }
  const data = encodeFunctionData({ abi: multicallAbi, functionName: "multicall", args: [rows.map((row) => row.data)] })
  return { to: first!.to, data, value: 0n }
}
