import { and, desc, eq, inArray } from "drizzle-orm"
import type { Logger } from "pino"
import { encodeFunctionData, maxUint256 } from "viem"
import { assayTokenAbi, LOCAL_CHAIN_ID, registryAbi } from "#protocol"
import type { Chain } from "../chain/client.ts"
import { readPair } from "../chain/follower/pairSlots.ts"
import type { OutboxCall } from "../chain/outbox/call.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { outbox as outboxTable } from "../store/schema.ts"

export type FundsDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

/** The coordinator's own money: its standing bond (R14) and the bond that its batches lock (R17). */
export type Funds = {
  /** True if the standing bond is there; otherwise deposits it. */
  ensureStanding(): Promise<boolean>
  /** True if the bond slot has so much free; otherwise moves tokens in, and is true once they are there. */
  ensureBond(needed: bigint): Promise<boolean>
}

/** Bond is moved in for several batches at once: each move is a transaction. */
const HEADROOM = 8n

export function createFunds({ db, chain, outbox, wake, log }: FundsDeps): Funds {
  const { client, deployment, account } = chain
  const { token, registry } = deployment.contracts
  const self = account.address

  async function ensureStanding(): Promise<boolean> {
    const [amount] = await client.readContract({
      address: registry,
      abi: registryAbi,
      functionName: "standingOf",
      args: [self],
    })
    const needed = deployment.params.standingBond
    if (amount >= needed) return true
    if (!(await ensureTokens(needed))) return false
    await once("standing", {
      to: registry,
      data: encodeFunctionData({ abi: registryAbi, functionName: "depositStanding" }),
    })
    return false
  }

  async function ensureBond(needed: bigint): Promise<boolean> {
    const { free } = await readPair(chain, self, self)
    if (free >= needed) return true
    const short = needed - free
    const balance = await balanceOf()
    const amount = balance >= short * HEADROOM ? short * HEADROOM : short
    if (!(await ensureTokens(amount))) return false
    await once("bond", {
      to: registry,
      data: encodeFunctionData({ abi: registryAbi, functionName: "allow", args: [self, amount] }),
    })
    return false
  }

  /** True once the Registry may take so much; asks the faucet of a local chain where the balance is short. */
  async function ensureTokens(amount: bigint): Promise<boolean> {
    if ((await balanceOf()) < amount) {
      if (deployment.chainId === LOCAL_CHAIN_ID && (await faucetReady())) {
        await once("faucet", { to: token, data: encodeFunctionData({ abi: assayTokenAbi, functionName: "faucet" }) })
      } else
        log.error({ account: self, needed: amount.toString() }, "the coordinator has not enough tokens for its bond")
      return false
    }
    const allowance = await client.readContract({
      address: token,
      abi: assayTokenAbi,
      functionName: "allowance",
      args: [self, registry],
    })
    if (allowance >= amount) return true
    await once("approve", {
      to: token,
      data: encodeFunctionData({ abi: assayTokenAbi, functionName: "approve", args: [registry, maxUint256] }),
    })
    return false
  }

  function balanceOf(): Promise<bigint> {
    return client.readContract({ address: token, abi: assayTokenAbi, functionName: "balanceOf", args: [self] })
  }

  async function faucetReady(): Promise<boolean> {
    const at = await client.readContract({
      address: token,
      abi: assayTokenAbi,
      functionName: "faucetAvailableAt",
      args: [self],
    })
    return at <= BigInt(chain.now())
  }

  /** One call of a kind at a time: the next is judged by what the chain says after it. */
  async function once(kind: string, call: Pick<OutboxCall, "to" | "data">): Promise<void> {
    const mine = and(eq(outboxTable.sender, outbox.sender), eq(outboxTable.kind, kind))
    const [open] = await db
      .select({ id: outboxTable.id })
      .from(outboxTable)
      .where(and(mine, inArray(outboxTable.state, ["queued", "sent"])))
      .limit(1)
    if (open) return
    const [last] = await db
      .select({ id: outboxTable.id })
      .from(outboxTable)
      .where(mine)
      .orderBy(desc(outboxTable.id))
      .limit(1)
    if (await outbox.enqueue(db, { ...call, key: `${kind}:${last?.id ?? 0}`, kind, maxAttempts: 3 }))
      wake.notify("outbox")
  }

  return { ensureStanding, ensureBond }
}
