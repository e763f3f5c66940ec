import { type Address, type Hex, keccak256, TransactionReceiptNotFoundError } from "viem"
import type { Chain } from "../client.ts"
import { type Revert, revertOf } from "../revert.ts"

export type Fees = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }
export type TxBody = { to: Address; data: Hex; value: bigint }
export type Mined = { success: boolean; block: number; hash: Hex; gasUsed: bigint }

/** What the outbox needs of a chain, for one key. */
export type OutboxChain = {
  readonly sender: Address
  /** Throws unless the node still serves the chain that the calls are meant for. */
  check(): Promise<void>
  /** Gas of the call on the newest state, or why it would revert. */
  simulate(tx: TxBody): Promise<{ gas: bigint } | { revert: Revert }>
  fees(): Promise<Fees>
  /** Transactions of the key in blocks, and those the node holds besides. */
  minedNonce(): Promise<number>
  pendingNonce(): Promise<number>
  sign(tx: TxBody & Fees & { nonce: number; gas: bigint }): Promise<{ raw: Hex; hash: Hex }>
  /** Resolves also where the node knows the transaction already. */
  broadcast(raw: Hex): Promise<void>
  mined(hash: Hex): Promise<Mined | undefined>
  /** Why a mined transaction reverted. */
  revertAt(tx: TxBody, block: number): Promise<Revert | undefined>
}

/** A node's answers to a transaction that it has, or whose nonce has been used: the receipt will tell. */
const KNOWN = /already known|known transaction|nonce too low|already imported|replacement transaction underpriced/i

export function createOutboxChain({ client, account, checkGenesis }: Chain): OutboxChain {
  const sender = account.address
  return {
    sender,
    check: checkGenesis,
    async simulate(tx) {
      try {
        return { gas: await client.estimateGas({ account: sender, ...tx }) }
      } catch (error) {
        const revert = revertOf(error)
        if (!revert) throw error
        return { revert }
      }
    },
    async fees() {
      const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas()
      return { maxFeePerGas, maxPriorityFeePerGas }
    },
    minedNonce: () => client.getTransactionCount({ address: sender, blockTag: "latest" }),
    pendingNonce: () => client.getTransactionCount({ address: sender, blockTag: "pending" }),
    async sign({ to, data, value, nonce, gas, maxFeePerGas, maxPriorityFeePerGas }) {
      const raw = await account.signTransaction({
        type: "eip1559",
        chainId: client.chain!.id,
        to,
        data,
        value,
        nonce,
        gas,
        maxFeePerGas,
        maxPriorityFeePerGas,
      })
      return { raw, hash: keccak256(raw) }
    },
    async broadcast(raw) {
      try {
        await client.sendRawTransaction({ serializedTransaction: raw })
      } catch (error) {
        // A node with automine reports the revert of the transaction that it mined just now.
        if (KNOWN.test(String(error)) || revertOf(error)) return
        throw error
      }
    },
    async mined(hash) {
      try {
        const receipt = await client.getTransactionReceipt({ hash })
        return {
          success: receipt.status === "success",
          block: Number(receipt.blockNumber),
          hash,
          gasUsed: receipt.gasUsed,
        }
      } catch (error) {
        if (error instanceof TransactionReceiptNotFoundError) return undefined
        throw error
      }
    },
    async revertAt(tx, block) {
      try {
        await client.call({ account: sender, ...tx, blockNumber: BigInt(block - 1) })
        return undefined
      } catch (error) {
        return revertOf(error)
      }
    },
  }
}
