import { eq } from "drizzle-orm"
import type { Address } from "viem"
import { registryAbi } from "#protocol"
import type { Db } from "../../store/database.ts"
import { pairs } from "../../store/schema.ts"
import { type Chain, lower } from "../client.ts"

export type PairSlot = { free: bigint; owed: bigint; noticeAt: number; flags: number }

/** R13's slot as the chain has it now: the only figure to commit by. */
export async function readPair(
  { client, deployment }: Chain,
  account: Address,
  coordinator: Address,
): Promise<PairSlot> {
  const [free, owed, noticeAt, flags] = await client.readContract({
    address: deployment.contracts.registry,
    abi: registryAbi,
    functionName: "pairOf",
    args: [account, coordinator],
  })
  return { free, owed, noticeAt: Number(noticeAt), flags: Number(flags) }
}

/**
 * Copies the slots of some accounts with this coordinator into the database. Locks and pay are not in events one by
 * one, so slots are read, not reckoned; reading again never does harm.
 */
export async function refreshPairs(
  { db, chain, coordinator }: { db: Db; chain: Chain; coordinator: Address },
  accounts: Iterable<Address>,
): Promise<void> {
  const list = [...new Set([...accounts].map(lower))]
  if (list.length === 0) return
  const block = Number(await chain.client.getBlockNumber())
  const slots = await Promise.all(list.map((account) => readPair(chain, account, coordinator)))
  for (const [i, account] of list.entries()) {
    const slot = { ...slots[i]!, block }
    await db
      .insert(pairs)
      .values({ account, coordinator: lower(coordinator), ...slot })
      .onConflictDoUpdate({ target: [pairs.account, pairs.coordinator], set: slot })
  }
}

export async function knownAccounts(db: Db, coordinator: Address): Promise<Address[]> {
  const rows = await db
    .select({ account: pairs.account })
    .from(pairs)
    .where(eq(pairs.coordinator, lower(coordinator)))
  return rows.map(({ account }) => account)
}
