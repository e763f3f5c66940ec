import type { Address, Hex, parseEventLogs } from "viem"
import type { disputeGameAbi } from "../abi/disputeGame.ts"
import { ceilLog2 } from "../trees/depth.ts"
import {
  GAME_KINDS,
  GAME_OUTCOMES,
  type GameKind,
  type GameOutcome,
  type Links,
  NOTHING_SHOWN,
  type Published,
  type Shown,
  type Turn,
} from "./types.ts"

type GameLog = ReturnType<typeof parseEventLogs<typeof disputeGameAbi, true>>[number]
export type GameEvent = {
  [N in GameLog["eventName"]]: Pick<Extract<GameLog, { eventName: N }>, "eventName" | "args">
}[GameLog["eventName"]]

/** `IDisputeGame.Case`: what a dispute is about, resubmitted with most moves. */
export type GameCase = {
  readonly kind: number
  readonly batchHash: Hex
  readonly programRoot: Hex
  readonly inputCommitment: Hex
  readonly outputCommitment: Hex
  readonly batchId: bigint
  readonly challenger: Address
  readonly defendant: Address
  readonly commitBlock: bigint
  readonly position: number
  readonly taskIndex: number
  readonly rangeIndex: number
}

export type JudgedElement = {
  readonly operation: number
  readonly code: number
  readonly element: bigint
  readonly claimed: bigint
  readonly right: bigint
  /** False: no claim could be right. */
  readonly defined: boolean
}

/** A dispute as its events tell it: nothing has to be read from the contract's storage. */
export type GameRecord = {
  readonly disputeId: bigint
  readonly about: GameCase
  readonly turn: Turn
  /** Last second of whose move it is. */
  readonly deadline: bigint
  readonly shown: Shown
  readonly judged?: JudgedElement
  readonly outcome: GameOutcome
  readonly reason?: string
}

export function kindOf({ about }: GameRecord): GameKind {
  return GAME_KINDS[about.kind]!
}

/** The record after one more event; undefined for events of no dispute, or of one whose opening was not seen. */
export function stepGame(record: GameRecord | undefined, { eventName, args }: GameEvent): GameRecord | undefined {
  if (eventName === "DisputeOpened") return opened(args)
  if (!record) return undefined
  switch (eventName) {
    case "TracePublished":
      return traced(record, args)
    case "NodePicked": {
      const { inside } = record.turn
      const phase = args.level > 0 ? "Reveal" : inside ? "Chunk" : "Tensor"
      const turn: Turn = { phase, inside, level: args.level, index: args.index }
      return { ...record, turn, deadline: args.deadline }
    }
    case "RowRevealed":
      return revealed(record, args)
    case "TensorRevealed": {
      const level = ceilLog2(args.chunks)
      const rows = [{ level, index: 0, nodes: args.row }]
      const shown = { ...record.shown, tensor: { wire: args.wire, rows } }
      return { ...record, shown, deadline: args.deadline, turn: { phase: "Pick", inside: true, level, index: 0 } }
    }
    case "ChunkRevealed": {
      const shown = { ...record.shown, chunk: { index: args.chunk, data: args.data } }
      return { ...record, shown, deadline: args.deadline, turn: { ...record.turn, phase: "Prove" } }
    }
    case "ChainExtended":
      return { ...record, shown: { ...record.shown, chains: extended(record.shown, args) }, deadline: args.deadline }
    case "ElementJudged": {
      const { operation, code, element, claimed, right, defined } = args
      return { ...record, judged: { operation, code, element, claimed, right, defined } }
    }
    case "DisputeEnded": {
      const outcome = GAME_OUTCOMES[args.outcome]!
      return { ...record, outcome, reason: textOf(args.reason), turn: { ...record.turn, phase: "Over" } }
    }
    default:
      return record
  }
}

/** A dispute out of all logs of the game, in the order of the chain. */
export function foldGame(events: readonly GameEvent[], disputeId: bigint): GameRecord | undefined {
  let record: GameRecord | undefined
  for (const event of events) {
    if ("disputeId" in event.args && event.args.disputeId === disputeId) record = stepGame(record, event) ?? record
  }
  return record
}

type Args<N extends GameEvent["eventName"]> = Extract<GameEvent, { eventName: N }>["args"]

function opened({ disputeId, dispute, deadline }: Args<"DisputeOpened">): GameRecord {
  const turn: Turn = { phase: "Publish", inside: false, level: 0, index: 0 }
  return { disputeId, about: dispute, turn, deadline, shown: NOTHING_SHOWN, outcome: "none" }
}

function traced(record: GameRecord, { published, links, row, deadline }: Args<"TracePublished">): GameRecord {
  const level = ceilLog2(published.inputs + published.operations)
  const shown: Shown = {
    ...record.shown,
    published: published as Published,
    links: links as Links,
    traceRows: [{ level, index: 0, nodes: row }],
  }
  return { ...record, shown, deadline, turn: { phase: "Pick", inside: false, level, index: 0 } }
}

function revealed(record: GameRecord, { level, index, row, deadline }: Args<"RowRevealed">): GameRecord {
  const next = { level, index, nodes: row }
  const { shown, turn } = record
  const after: Shown = turn.inside
    ? { ...shown, tensor: { wire: shown.tensor!.wire, rows: [...shown.tensor!.rows, next] } }
    : { ...shown, traceRows: [...shown.traceRows, next] }
  return { ...record, shown: after, deadline, turn: { ...turn, phase: "Pick" } }
}

function extended({ chains }: Shown, { operation, element, upTo }: Args<"ChainExtended">): Shown["chains"] {
  const next = { operation, element: Number(element), upTo: Number(upTo) }
  return [...chains.filter((chain) => chain.operation !== operation || chain.element !== next.element), next]
}

/** bytes32 of ASCII, zeros at the right. */
function textOf(word: Hex): string {
  return Buffer.from(word.slice(2), "hex").toString("ascii").replace(/\0+$/, "")
}
