import { randomBytes } from "node:crypto"
import { type Address, type Hex, isAddressEqual, zeroHash } from "viem"
import { voteHash } from "#protocol"
import type { Peer } from "../api/peer.ts"
import { jobOfBatch } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import type { ChainEvent, Head } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import type { Journal } from "../journal/journal.ts"
import { createSingle } from "../support/single.ts"
import { type FindAnswerDeps, findAnswer } from "./findAnswer.ts"

export type JurorDeps = FindAnswerDeps & {
  chain: Chain
  sender: Sender
  journal: Journal
  events: Events
  account: Address
  capability: Hex
  now: () => bigint
  /** Whoever serves the tasks of a batch: the coordinator, or the worker that committed for itself. */
  peerOf: (url: string) => Peer | undefined
  signal: AbortSignal
}

/** Follows every dispute of the chain; acts in those whose jury this account's seats were drawn for. */
export type Juror = {
  note(event: ChainEvent): void
  onHead(head: Head): void
}

const PHASE = { none: 0, seed: 1, commit: 2, reveal: 3, ripe: 4, resolved: 5 } as const
/** What anybody may do is left to the coordinator first; after this many blocks a juror does it. */
const PATIENCE_BLOCKS = 6n
/** Block hashes reach back 256 blocks: a seed that is older and was not used is lost. */
const SEED_LOST_BLOCKS = 250n
/** Without an answer by then a juror abstains: that is a move too, and costs no liveness slash (R25). */
const ABSTAIN_SECONDS = 5n

export function createJuror(deps: JurorDeps): Juror {
  const disputes = new Map<bigint, (head: Head) => void>()

  function follow(disputeId: bigint): void {
    if (disputes.has(disputeId)) return
    let head: Head | undefined
    let answer: Promise<Hex> | undefined
    const findOnce = (params: Omit<Parameters<typeof findAnswer>[1], "signal">) => {
      answer ??= findAnswer(deps, { ...params, signal: deps.signal }).catch((error: unknown) => {
        answer = undefined
        throw error
      })
      return answer
    }
    const move = createSingle(
      async () => {
        if (await makeMove(deps, { disputeId, head: head!, findOnce })) disputes.delete(disputeId)
      },
      (error) => {
        if (!deps.signal.aborted) deps.events.wait("jury", "refused", codeOf(error), `a vote: ${textOf(error)}`)
      },
    )
    disputes.set(disputeId, (next) => {
      head = next
      move()
    })
  }

  // Votes that were sealed before a restart must still be revealed.
  for (const { disputeId } of deps.journal.votes()) follow(disputeId)

  return {
    note(event) {
      if (event.eventName === "DisputeOpened" || event.eventName === "JuryDrawn") follow(event.args.disputeId)
      if (event.eventName === "DisputeResolved") disputes.delete(event.args.disputeId)
    },
    onHead(head) {
      for (const move of disputes.values()) move(head)
    },
  }
}

type FindOnce = (params: Omit<Parameters<typeof findAnswer>[1], "signal">) => Promise<Hex>
type MoveParams = { disputeId: bigint; head: Head; findOnce: FindOnce }

/** Looks at the dispute and does what is due; true once there is nothing more to do. */
async function makeMove(deps: JurorDeps, params: MoveParams): Promise<boolean> {
  const { chain, account } = deps
  const { disputeId } = params
  const [dispute, tally] = await chain.jury.read.disputeOf([disputeId])
  if (tally.phase === PHASE.none || tally.phase === PHASE.resolved) return true
  if (tally.phase === PHASE.seed) return await drawWhenDue(deps, params, dispute)
  const [accounts, weights, committed, revealed] = await chain.jury.read.jurorsOf([disputeId])
  const me = accounts.findIndex((juror) => isAddressEqual(juror, account))
  // No juror of this one, or struck from it: others will move.
  if (me < 0 || weights[me] === 0) return true
  if (tally.phase === PHASE.commit && !committed[me])
    await commit(deps, params, { dispute, ends: BigInt(tally.phaseEnds) })
  if (tally.phase === PHASE.reveal && committed[me] && !revealed[me]) await reveal(deps, disputeId)
  if (tally.phase === PHASE.ripe) return await resolveWhenDue(deps, params, { dispute, ends: BigInt(tally.phaseEnds) })
  return false
}

type Dispute = { batchId: bigint; openBlock: bigint; position: number }

/** What anybody may do somebody else may have done a moment ago: the contract's refusal is then no news. */
async function unlessDone(sending: Promise<unknown>): Promise<void> {
  await sending.catch((error: unknown) => {
    if (codeOf(error) !== "E_TX_REFUSED") throw error
  })
}

/** Not all at once: the first to call saves the others a transaction that would be refused. */
function patienceOf(account: Address): bigint {
  return PATIENCE_BLOCKS + (BigInt(account) % 8n)
}

async function drawWhenDue(deps: JurorDeps, { disputeId, head }: MoveParams, dispute: Dispute): Promise<boolean> {
  const { chain, sender, capability, account } = deps
  if (head.number < dispute.openBlock + patienceOf(account)) return false
  // Only who may be a juror has a reason to pay for this.
  if ((await chain.registry.read.seatCount([capability, account])) === 0n) return true
  const { jury } = chain
  if ((await chain.beacon.read.seed([dispute.openBlock])) === zeroHash) {
    if (head.number < dispute.openBlock + SEED_LOST_BLOCKS) return false
    await unlessDone(sender.send({ address: jury.address, abi: jury.abi, functionName: "reseed", args: [disputeId] }))
    return false
  }
  await unlessDone(sender.send({ address: jury.address, abi: jury.abi, functionName: "drawJury", args: [disputeId] }))
  return false
}

async function commit(
  deps: JurorDeps,
  { disputeId, findOnce }: MoveParams,
  { dispute, ends }: { dispute: Dispute; ends: bigint },
): Promise<void> {
  const { chain, sender, journal, events, account, now } = deps
  const { batchId, position } = dispute
  let output = journal.voteOf(disputeId)?.output
  try {
    output ??= await findOnce({ disputeId, batchId, position, peer: await peerOfBatch(deps, batchId) })
  } catch (error) {
    if (now() + ABSTAIN_SECONDS < ends) throw error
    events.emit({ kind: "refused", code: codeOf(error), text: `abstaining in dispute ${disputeId}: ${textOf(error)}` })
    output = zeroHash
  }
  const salt: Hex = `0x${randomBytes(32).toString("hex")}`
  // Written down before it is sealed: a juror that forgets its salt cannot reveal and counts as silent.
  const vote = await journal.claimVote({ disputeId, output, salt, at: now() })
  const sealed = voteHash({ disputeId, juror: account, outputCommitment: vote.output, salt: vote.salt })
  const { jury } = chain
  const call = { address: jury.address, abi: jury.abi, functionName: "commitVote" } as const
  const { transactionHash: tx } = await sender.send({ ...call, args: [disputeId, sealed] })
  events.emit({ kind: "voted", disputeId, phase: "commit", tx })
}

async function reveal({ chain, sender, journal, events }: JurorDeps, disputeId: bigint): Promise<void> {
  const vote = journal.voteOf(disputeId)
  if (!vote) return
  const { jury } = chain
  const call = { address: jury.address, abi: jury.abi, functionName: "revealVote" } as const
  const { transactionHash: tx } = await sender.send({ ...call, args: [disputeId, vote.output, vote.salt] })
  events.emit({ kind: "voted", disputeId, phase: "reveal", tx })
}

/** The batch stays held, and its worker unpaid, until somebody counts the votes. */
async function resolveWhenDue(
  deps: JurorDeps,
  { disputeId, head }: MoveParams,
  { dispute, ends }: { dispute: Dispute; ends: bigint },
): Promise<boolean> {
  const { chain, sender, account } = deps
  if (head.timestamp < ends + patienceOf(account)) return false
  const { terms, batch } = await lookUp(deps, dispute.batchId)
  const { jury } = chain
  const args = [disputeId, terms, batch] as const
  await unlessDone(sender.send({ address: jury.address, abi: jury.abi, functionName: "resolve", args }))
  return true
}

async function lookUp({ batches }: JurorDeps, batchId: bigint) {
  const [terms, committed] = await Promise.all([batches.terms(jobOfBatch(batchId)), batches.batch(batchId)])
  if (!terms || !committed) throw workerError("E_BATCH_UNKNOWN", `batch ${batchId} is not on the chain`)
  return { terms, batch: committed.batch, url: committed.url }
}

async function peerOfBatch(deps: JurorDeps, batchId: bigint): Promise<Peer> {
  const { url } = await lookUp(deps, batchId)
  const peer = deps.peerOf(url)
  if (!peer) throw workerError("E_COORDINATOR_DOWN", `nobody serves the tasks of batch ${batchId} at "${url}"`)
  return peer
}
