import { parseEventLogs } from "viem"
import {
  disputeGameAbi,
  foldGame,
  type GameCall,
  type GameCase,
  type GameRecord,
  splitBatchId,
  timeoutCall,
} from "#protocol"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { refusedWith, type Sender } from "../chain/sender.ts"
import { workerError } from "../errors.ts"
import type { Events } from "../events.ts"

/** What both sides of a dispute do alike: look at it, move, and say that the other's clock has run out. */
export type GameTableDeps = { chain: Chain; sender: Sender; batches: BatchBook; events: Events }

export type Disputed = { disputeId: bigint; about: GameCase; fromBlock: bigint }

/** Another was quicker, or the block at hand is not late enough: the next look decides. */
const PASSING = ["GamePhase", "GameRunning", "GameOver"]

export async function readGame(
  { chain }: GameTableDeps,
  { disputeId, fromBlock }: Disputed,
): Promise<GameRecord | undefined> {
  const logs = await chain.client.getLogs({ address: chain.deployment.contracts.game, fromBlock })
  return foldGame(parseEventLogs({ abi: disputeGameAbi, logs, strict: true }), disputeId)
}

/** Terms and batch are resubmitted by whoever ends a dispute. */
export async function contextOf({ batches }: GameTableDeps, { batchId }: GameCase) {
  const terms = await batches.terms(splitBatchId(batchId).jobId)
  const committed = await batches.batch(batchId)
  if (!terms || !committed) throw workerError("E_CHAIN_DOWN", `the chain does not show batch ${batchId}`)
  return { terms, batch: committed.batch }
}

/** Whose clock has run out has lost, once somebody says so. */
export async function callOutSilence(deps: GameTableDeps, record: GameRecord): Promise<void> {
  const { timestamp } = await deps.chain.client.getBlock({ blockTag: "pending" })
  if (timestamp <= record.deadline) return
  const call = timeoutCall({ record, ...(await contextOf(deps, record.about)) })
  await sendMove(deps, record, { move: "timeout", call, text: "the other side of a dispute is silent" })
}

export type MoveParams = { move: string; call: GameCall; text: string }

export async function sendMove(
  { chain, sender, events }: GameTableDeps,
  { disputeId }: GameRecord,
  { move, call, text }: MoveParams,
): Promise<void> {
  try {
    const { transactionHash: tx } = await sender.send({
      address: chain.deployment.contracts.game,
      abi: disputeGameAbi,
      functionName: call.functionName,
      args: call.args as never,
    })
    events.emit({ kind: "disputed", disputeId, move, text, tx })
  } catch (error) {
    if (!PASSING.includes(refusedWith(error) ?? "")) throw error
  }
}
