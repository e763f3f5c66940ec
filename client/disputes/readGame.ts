import { type Address, type Hex, type PublicClient, parseEventLogs } from "viem"
import { disputeGameAbi, type GameRecord, stepGame } from "#protocol"

export type GameHistory = {
  readonly record: GameRecord | undefined
  /** Every transaction that moved the dispute, in order. */
  readonly transactions: readonly Hex[]
}

/** A dispute as the chain's events tell it. */
export async function readGame(
  chain: PublicClient,
  { game, disputeId, fromBlock }: { game: Address; disputeId: bigint; fromBlock: bigint },
): Promise<GameHistory> {
  const logs = await chain.getLogs({ address: game, fromBlock })
  let record: GameRecord | undefined
  const transactions = new Set<Hex>()
  for (const event of parseEventLogs({ abi: disputeGameAbi, logs, strict: true })) {
    if (!("disputeId" in event.args) || event.args.disputeId !== disputeId) continue
    record = stepGame(record, event) ?? record
    transactions.add(event.transactionHash)
  }
  return { record, transactions: [...transactions] }
}
