import { type Address, type Hex, type PublicClient, parseEventLogs } from "viem"
import { disputeGameAbi, foldGame, type GameRecord } from "#protocol"

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
  const events = parseEventLogs({ abi: disputeGameAbi, logs, strict: true })
  const own = events.filter(({ args }) => "disputeId" in args && args.disputeId === disputeId)
  const transactions = new Set(own.map(({ transactionHash }) => transactionHash))
  return { record: foldGame(own, disputeId), transactions: [...transactions] }
}
