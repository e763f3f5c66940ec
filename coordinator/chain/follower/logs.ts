import { type Address, decodeEventLog, type Hex } from "viem"
import {
  type Contracts,
  challengesAbi,
  disputeGameAbi,
  formatJobId,
  juryAbi,
  marketAbi,
  registryAbi,
  splitBatchId,
} from "#protocol"

/** A log as it is fetched and stored. */
export type RawLog = {
  block: number
  blockHash: Hex
  logIndex: number
  tx: Hex
  contract: Address
  topics: Hex[]
  data: Hex
}

function decodeMarket(log: RawLog) {
  const topics = log.topics as [Hex, ...Hex[]]
  return { source: "market" as const, ...decodeEventLog({ abi: marketAbi, topics, data: log.data }) }
}
function decodeRegistry(log: RawLog) {
  const topics = log.topics as [Hex, ...Hex[]]
  return { source: "registry" as const, ...decodeEventLog({ abi: registryAbi, topics, data: log.data }) }
}
function decodeChallenges(log: RawLog) {
  const topics = log.topics as [Hex, ...Hex[]]
  return { source: "challenges" as const, ...decodeEventLog({ abi: challengesAbi, topics, data: log.data }) }
}
function decodeJury(log: RawLog) {
  const topics = log.topics as [Hex, ...Hex[]]
  return { source: "jury" as const, ...decodeEventLog({ abi: juryAbi, topics, data: log.data }) }
}

function decodeGame(log: RawLog) {
  const topics = log.topics as [Hex, ...Hex[]]
  return { source: "game" as const, ...decodeEventLog({ abi: disputeGameAbi, topics, data: log.data }) }
}

export type MarketEvent = ReturnType<typeof decodeMarket>
export type RegistryEvent = ReturnType<typeof decodeRegistry>
export type ChallengesEvent = ReturnType<typeof decodeChallenges>
export type JuryEvent = ReturnType<typeof decodeJury>
export type GameEvent = ReturnType<typeof decodeGame>
export type ChainEvent = MarketEvent | RegistryEvent | ChallengesEvent | JuryEvent | GameEvent

/** The event in a log, or undefined for one that these ABIs do not know (OpenZeppelin's own, for example). */
export function decodeLog(contracts: Contracts, log: RawLog): ChainEvent | undefined {
  const from = log.contract.toLowerCase()
  try {
    if (from === contracts.market.toLowerCase()) return decodeMarket(log)
    if (from === contracts.registry.toLowerCase()) return decodeRegistry(log)
    if (from === contracts.challenges.toLowerCase()) return decodeChallenges(log)
    if (from === contracts.jury.toLowerCase()) return decodeJury(log)
    if (from === contracts.game.toLowerCase()) return decodeGame(log)
  } catch {
    // EIP712DomainChanged, Initialized and the like: nothing of ours follows from them.
  }
  return undefined
}

export type Subject = `job:${Hex}` | `seats:${Hex}` | `key:${Hex}` | `pair:${Hex}:${Hex}` | "rounds:all"

export function jobSubject(jobId: bigint): Subject {
  return `job:${formatJobId(jobId)}`
}

/**
 * What an event changes. Rows of one subject follow from its logs alone, so a rollback replays subject by subject.
 * A dispute's later events name the dispute only: `batchOfDispute` finds its batch.
 */
export async function subjectOf(
  event: ChainEvent,
  batchOfDispute: (disputeId: bigint) => Promise<bigint | undefined>,
): Promise<Subject | undefined> {
  const args = event.args as Record<string, unknown> | undefined
  if (!args) return undefined
  const jobOfBatch = (batchId: bigint): Subject => jobSubject(splitBatchId(batchId).jobId)
  if (event.source === "registry") {
    if (typeof args.capability === "string") return `seats:${args.capability.toLowerCase() as Hex}`
    if (typeof args.key === "string") return `key:${args.key.toLowerCase() as Hex}`
    if (typeof args.account === "string" && typeof args.coordinator === "string") {
      return `pair:${args.account.toLowerCase() as Hex}:${args.coordinator.toLowerCase() as Hex}`
    }
    return undefined
  }
  if (typeof args.jobId === "bigint") return jobSubject(args.jobId)
  if (typeof args.batchId === "bigint") return jobOfBatch(args.batchId)
  if (typeof args.fromBatchId === "bigint") return jobOfBatch(args.fromBatchId)
  // Rounds are nobody's job: a second seed serves all of them (R22).
  if (typeof args.round === "bigint") return "rounds:all"
  if (typeof args.disputeId === "bigint") {
    const batchId = await batchOfDispute(args.disputeId)
    return batchId === undefined ? undefined : jobOfBatch(batchId)
  }
  return undefined
}
