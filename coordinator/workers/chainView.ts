import type { Address, Hex, PublicClient } from "viem"
import { assayTokenAbi, type Contracts, marketAbi, registryAbi } from "#protocol"
import { refuse } from "../errors.ts"

/** R13: the slot of (account, this coordinator). */
export type Pair = { free: bigint; owed: bigint; noticeAt: number; flags: number }
export type Seats = { seats: number; owners: number }

/** What the service asks the chain. Answers may be a few seconds old: the contracts decide in the end. */
export type ChainView = {
  /** R8: whose session key this is now, or undefined. */
  accountOf(key: Address): Promise<Address | undefined>
  pairOf(account: Address): Promise<Pair>
  seatsOf(capability: Hex): Promise<Seats>
  /** Seats of one account. */
  seatCount(capability: Hex, account: Address): Promise<number>
  /** The hash of a posted job's terms; undefined while it is not posted. */
  termsHashOf(jobId: bigint): Promise<Hex | undefined>
  /** The token's balance, for a clear word before the escrow is pulled. */
  balanceOf(account: Address): Promise<bigint>
  /** Forgets what it knew about an account: its events were seen. */
  forget(account: Address): void
}

export type ChainViewDeps = { client: PublicClient; contracts: Contracts; coordinator: Address }

/** A chain that does not answer is no fault of who asked. */
async function ask<R>(question: () => Promise<R>): Promise<R> {
  try {
    return await question()
  } catch (cause) {
    throw refuse("E_CHAIN_DOWN", "the coordinator cannot reach its chain now: try again later", undefined, cause)
  }
}

const KEY_MS = 5_000
const PAIR_MS = 2_000
const SEATS_MS = 5_000

export function createChainView({ client, contracts, coordinator }: ChainViewDeps): ChainView {
  const registry = { address: contracts.registry, abi: registryAbi } as const
  const market = { address: contracts.market, abi: marketAbi } as const
  const token = { address: contracts.token, abi: assayTokenAbi } as const
  const accounts = createCache<Address | undefined>(KEY_MS)
  const pairs = createCache<Pair>(PAIR_MS)
  const seats = createCache<Seats>(SEATS_MS)
  const counts = createCache<number>(SEATS_MS)

  return {
    async accountOf(key) {
      const known = await accounts.get(key, async () => {
        const block = await client.getBlockNumber()
        // A key counts from the block after its registration: the next block is the one that work would be judged by.
        const account = await client.readContract({ ...registry, functionName: "accountOf", args: [key, block + 1n] })
        return BigInt(account) === 0n ? undefined : (account.toLowerCase() as Address)
      })
      // "Nobody's" is asked again: a worker registers its key and comes at once.
      if (known === undefined) accounts.forget(key)
      return known
    },
    pairOf(account) {
      return pairs.get(account, async () => {
        const [free, owed, noticeAt, flags] = await client.readContract({
          ...registry,
          functionName: "pairOf",
          args: [account, coordinator],
        })
        return { free, owed, noticeAt: Number(noticeAt), flags: Number(flags) }
      })
    },
    seatsOf(capability) {
      return seats.get(capability, async () => {
        const [count, owners] = await client.readContract({ ...registry, functionName: "seatsOf", args: [capability] })
        return { seats: Number(count), owners: Number(owners) }
      })
    },
    seatCount(capability, account) {
      return counts.get(`${capability}/${account}`, async () =>
        Number(await client.readContract({ ...registry, functionName: "seatCount", args: [capability, account] })),
      )
    },
    async termsHashOf(jobId) {
      const question = { ...market, functionName: "termsHashOf", args: [jobId] } as const
      const hash = await ask(() => client.readContract(question))
      return BigInt(hash) === 0n ? undefined : hash
    },
    balanceOf(account) {
      const question = { ...token, functionName: "balanceOf", args: [account] } as const
      return ask(() => client.readContract(question))
    },
    forget(account) {
      pairs.forget(account)
    },
  }
}

const MOST_ENTRIES = 20_000

/** Answers by key for a while; a question under way is shared, one that failed is asked again. */
function createCache<V>(ttlMs: number) {
  const entries = new Map<string, { until: number; value: Promise<V> }>()
  return {
    get(key: string, question: () => Promise<V>): Promise<V> {
      const known = entries.get(key)
      if (known && known.until > Date.now()) return known.value
      // Keys come from peers: the oldest entries go first, so that nobody fills the memory with them.
      if (entries.size >= MOST_ENTRIES) entries.delete(entries.keys().next().value as string)
      const value = ask(question)
      entries.delete(key)
      entries.set(key, { until: Date.now() + ttlMs, value })
      value.catch(() => {
        if (entries.get(key)?.value === value) entries.delete(key)
      })
      return value
    },
    forget(key: string): void {
      entries.delete(key)
    },
  }
}
