import type { Address, Hex } from "viem"
import type { Mined, OutboxChain, TxBody } from "../../../coordinator/chain/outbox/outboxChain.ts"
import type { Revert } from "../../../coordinator/chain/revert.ts"

type Signed = TxBody & { nonce: number; maxFeePerGas: bigint; hash: Hex }

/** A chain whose blocks the test mines: nonces, replacements and reverts behave as a node's do. */
export function createScriptedChain(sender: Address) {
  const signed = new Map<Hex, Signed>()
  const pool = new Map<number, Signed>()
  const receipts = new Map<Hex, Mined>()
  const broadcasts: Hex[] = []
  let nonce = 0
  let block = 1
  /** Why calls with this data revert, in simulations and when mined. */
  const reverts = new Map<Hex, Revert>()
  let baseFee = 100n
  let counter = 0
  let foreign = false

  const revertOf = (tx: TxBody): Revert | undefined => {
    for (const [data, revert] of reverts) if (tx.data.includes(data.slice(2))) return revert
    return undefined
  }

  const chain: OutboxChain = {
    sender,
    check: async () => {
      if (foreign) throw new Error("another chain")
    },
    async simulate(tx) {
      const revert = revertOf(tx)
      return revert ? { revert } : { gas: 50_000n }
    },
    fees: async () => ({ maxFeePerGas: baseFee * 2n, maxPriorityFeePerGas: 1n }),
    minedNonce: async () => nonce,
    pendingNonce: async () => {
      let next = nonce
      while (pool.has(next)) next++
      return next
    },
    async sign(tx) {
      const raw: Hex = `0x${(++counter).toString(16).padStart(64, "0")}`
      signed.set(raw, { ...tx, hash: raw })
      return { raw, hash: raw }
    },
    async broadcast(raw) {
      broadcasts.push(raw)
      const tx = signed.get(raw)!
      const old = pool.get(tx.nonce)
      if (tx.nonce >= nonce && (!old || old.maxFeePerGas <= tx.maxFeePerGas)) pool.set(tx.nonce, tx)
    },
    mined: async (hash) => receipts.get(hash),
    revertAt: async (tx) => revertOf(tx),
  }

  return {
    chain,
    reverts,
    broadcasts,
    pool,
    receipts,
    setBaseFee(fee: bigint) {
      baseFee = fee
    },
    /** Mines what is in order and pays enough. */
    mine(minFee = 0n): Signed[] {
      block++
      const done: Signed[] = []
      for (let tx = pool.get(nonce); tx && tx.maxFeePerGas >= minFee; tx = pool.get(nonce)) {
        receipts.set(tx.hash, { success: !revertOf(tx), block, hash: tx.hash, gasUsed: 21_000n })
        pool.delete(nonce++)
        done.push(tx)
      }
      return done
    },
    /** Another program with the same key takes the next nonce. */
    steal() {
      pool.delete(nonce++)
    },
    /** The node was restarted: same id and accounts, another genesis. */
    startAnew() {
      foreign = true
      pool.clear()
      receipts.clear()
      nonce = 0
    },
    get block() {
      return block
    },
    /** A reorg: receipts above the block vanish and their transactions are unknown again. */
    reorgTo(ancestor: number) {
      for (const [hash, mined] of receipts) {
        if (mined.block <= ancestor) continue
        receipts.delete(hash)
        nonce--
      }
      block = ancestor
    },
  }
}
