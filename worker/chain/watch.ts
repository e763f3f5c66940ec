import { readFile } from "node:fs/promises"
import { parseEventLogs } from "viem"
import { challengesAbi, disputeGameAbi, juryAbi, marketAbi, registryAbi } from "#protocol"
import { textOf, workerError } from "../errors.ts"
import { writeDurably } from "../support/files.ts"
import { pause } from "../support/sleep.ts"
import type { Chain } from "./chain.ts"

const EVENTS = [...marketAbi, ...registryAbi, ...juryAbi, ...challengesAbi, ...disputeGameAbi] as const
export type ChainEvent = ReturnType<typeof parseEventLogs<typeof EVENTS, true>>[number]
export type Head = { number: bigint; timestamp: bigint }

export type WatchParams = {
  cursorPath: string
  /** Runs for each event in chain order, possibly twice after a crash: what it does must bear that. */
  onEvent: (event: ChainEvent) => Promise<void>
  /** Runs after the events of each new block. */
  onHead: (head: Head) => Promise<void>
  onError: (error: unknown) => void
  signal: AbortSignal
}

const POLL_MS = 500
/** Public nodes answer no wider range of logs. */
const MAX_RANGE = 1000n
/** A worker that has been here before goes on where it stopped; a new one looks back far enough to find open disputes. */
const LOOK_BACK = 300n
/** Elsewhere than on the local chain, where nothing is reorganised, events are believed two blocks later. */
const CONFIRMATIONS = 2n

/** Follows the protocol's events from a cursor on disk. Reads only: a chain that is down is waited for. */
export async function watchChain(chain: Chain, params: WatchParams): Promise<void> {
  const { cursorPath, onHead, onError, signal } = params
  let cursor = await readCursor(cursorPath)
  let seen = -1n
  while (!signal.aborted) {
    try {
      const { number, timestamp } = await chain.client.getBlock({ blockTag: "latest" })
      if (number < seen) await checkSameChain(chain)
      const upTo = chain.isLocal ? number : number - CONFIRMATIONS
      cursor ??= upTo > LOOK_BACK ? upTo - LOOK_BACK : -1n
      if (upTo > cursor) {
        cursor = await applyEvents(chain, params, { after: cursor, upTo })
        await writeDurably(cursorPath, String(cursor))
      }
      if (number !== seen) await onHead({ number, timestamp })
      seen = number
    } catch (error) {
      if (!signal.aborted) onError(error)
    }
    await pause(POLL_MS, signal)
  }
}

async function applyEvents(
  chain: Chain,
  { onEvent, signal }: WatchParams,
  { after, upTo }: { after: bigint; upTo: bigint },
): Promise<bigint> {
  const { contracts } = chain.deployment
  const address = [contracts.market, contracts.registry, contracts.jury, contracts.challenges, contracts.game]
  let cursor = after
  while (cursor < upTo && !signal.aborted) {
    const toBlock = cursor + MAX_RANGE < upTo ? cursor + MAX_RANGE : upTo
    const logs = await chain.client.getLogs({ address, fromBlock: cursor + 1n, toBlock })
    for (const event of parseEventLogs({ abi: EVENTS, logs, strict: true })) await onEvent(event)
    cursor = toBlock
  }
  return cursor
}

/** A chain that became shorter is reorganised, or another one: nothing of the old is ever sent to the new. */
async function checkSameChain({ client, deployment }: Chain): Promise<void> {
  const { hash } = await client.getBlock({ blockNumber: 0n })
  if (hash === deployment.genesisHash) return
  throw workerError("E_WRONG_CHAIN", "the chain started anew under this worker", {
    remedy: "stop the worker and start it with the new deployment",
  })
}

async function readCursor(path: string): Promise<bigint | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  if (text === undefined) return undefined
  if (!/^-?[0-9]+$/.test(text)) throw workerError("E_JOURNAL_CORRUPT", `${path} is damaged: ${textOf(text)}`)
  return BigInt(text)
}
