import { type Address, isAddressEqual, parseEventLogs } from "viem"
import { compileProgram, type Runner, traceProgram } from "#engine"
import {
  buildTrace,
  commitRoots,
  defendantCall,
  digestSalt,
  disputeGameAbi,
  foldGame,
  type GameCase,
  type GameRecord,
  isChallengersTurn,
  joinOutput,
  type Links,
  linksOf,
  nextDefendantMove,
  type OpenProgram,
  outputSalt,
  splitBatchId,
  type Trace,
  timeoutCall,
} from "#protocol"
import type { ArtifactCache } from "../artifacts/cache.ts"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { refusedWith, type Sender } from "../chain/sender.ts"
import type { ChainEvent } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import type { Hasher } from "../hashing/hasher.ts"
import { readInputs } from "../leases/readInputs.ts"
import type { Backends } from "../models/backends.ts"
import type { LeaseRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import { pause } from "../support/sleep.ts"

export type LeafDefenceDeps = {
  chain: Chain
  sender: Sender
  account: Address
  batches: BatchBook
  records: Pick<RecordStore, "all">
  cache: Pick<ArtifactCache, "read">
  hasher: Hasher
  runner: Runner
  backends: Backends
  events: Events
  signal: AbortSignal
}

/** Answers every dispute of a leaf of ours by itself, until it is over (R27). Silence would lose it. */
export type LeafDefence = {
  note(event: ChainEvent): void
  /** At its first call takes up what was open when this process began. */
  onHead(): Promise<void>
}

type Own = { program: OpenProgram; trace: Trace; links: Links }
type Disputed = { disputeId: bigint; about: GameCase; fromBlock: bigint }

const POLL_MS = 500
/** `IDisputeGame.Kind`: a dispute of a verdict is about what we audited, not about a leaf. */
const VERDICT = 2
/** Another was quicker, or the block at hand is not late enough: the next look decides. */
const HOPELESS = ["WORKER_LEAF_WRONG", "WORKER_LEAF_LOST"]
const PASSING = ["GamePhase", "GameRunning", "GameOver"]

export function createLeafDefence(deps: LeafDefenceDeps): LeafDefence {
  const { chain, account, events, signal } = deps
  const running = new Set<bigint>()
  let resumed = false

  function take(disputed: Disputed): void {
    const { disputeId, about } = disputed
    if (about.kind === VERDICT || !isAddressEqual(about.defendant, account) || running.has(disputeId)) return
    running.add(disputeId)
    defend(deps, disputed)
      .catch((error: unknown) => {
        if (!signal.aborted) events.fail(error)
      })
      .finally(() => running.delete(disputeId))
  }

  return {
    note(event) {
      if (event.eventName !== "DisputeOpened" || !("dispute" in event.args)) return
      const { disputeId, dispute } = event.args
      take({ disputeId, about: dispute, fromBlock: event.blockNumber })
    },
    async onHead() {
      if (resumed) return
      const opened = await chain.client.getContractEvents({
        address: chain.deployment.contracts.game,
        abi: disputeGameAbi,
        eventName: "DisputeOpened",
        args: { defendant: account },
        fromBlock: BigInt(chain.deployment.deployedBlock),
        strict: true,
      })
      for (const { args, blockNumber } of opened) {
        take({ disputeId: args.disputeId, about: args.dispute, fromBlock: blockNumber })
      }
      resumed = true
    },
  }
}

async function defend(deps: LeafDefenceDeps, disputed: Disputed): Promise<void> {
  const { events, signal } = deps
  let own: Own | undefined
  while (!signal.aborted) {
    try {
      const record = await readGame(deps, disputed)
      if (record?.turn.phase === "Over") return tell(deps, record)
      if (record && isChallengersTurn(record)) await callOut(deps, record)
      else if (record) {
        own ??= await recompute(deps, disputed.about)
        await answer(deps, record, own)
      }
      events.resume("dispute")
    } catch (error) {
      if (HOPELESS.includes(codeOf(error))) throw error
      // A chain that is away, or a machine that is busy: the clock still runs, so it is tried again.
      events.wait("dispute", "refused", codeOf(error), textOf(error))
    }
    await pause(POLL_MS, signal)
  }
}

function tell({ events }: LeafDefenceDeps, { disputeId, outcome, reason }: GameRecord): void {
  const text = `the dispute is ${outcome}: ${reason}`
  events.emit({ kind: "disputed", disputeId, move: outcome, text })
}

async function readGame({ chain }: LeafDefenceDeps, { disputeId, fromBlock }: Disputed) {
  const logs = await chain.client.getLogs({ address: chain.deployment.contracts.game, fromBlock })
  return foldGame(parseEventLogs({ abi: disputeGameAbi, logs, strict: true }), disputeId)
}

async function answer(deps: LeafDefenceDeps, record: GameRecord, { program, trace, links }: Own): Promise<void> {
  const { turn, shown } = record
  const move = nextDefendantMove({ turn, shown, own: trace, program })
  if (move.move === "wait") return
  await send(deps, record, move.move, defendantCall(move, { record }, { program, links }))
}

/** A challenger that lets its clock run out has lost, once somebody says so. */
async function callOut(deps: LeafDefenceDeps, record: GameRecord): Promise<void> {
  const { timestamp } = await deps.chain.client.getBlock({ blockTag: "pending" })
  if (timestamp <= record.deadline) return
  const { batchId } = record.about
  const terms = await deps.batches.terms(splitBatchId(batchId).jobId)
  const committed = await deps.batches.batch(batchId)
  if (!terms || !committed) throw workerError("E_CHAIN_DOWN", `the chain does not show batch ${batchId}`)
  await send(deps, record, "timeout", timeoutCall({ record, terms, batch: committed.batch }))
}

type GameCall = ReturnType<typeof timeoutCall>

async function send({ chain, sender, events }: LeafDefenceDeps, record: GameRecord, move: string, call: GameCall) {
  const { disputeId } = record
  try {
    const { transactionHash: tx } = await sender.send({
      address: chain.deployment.contracts.game,
      abi: disputeGameAbi,
      functionName: call.functionName,
      args: call.args as never,
    })
    const text = `a dispute of a leaf of ours is answered (${move})`
    events.emit({ kind: "disputed", disputeId, move, text, tx })
  } catch (error) {
    if (!PASSING.includes(refusedWith(error) ?? "")) throw error
  }
}

/** The task again with every wire, from what the lease left on this disk: no peer is needed to defend a leaf. */
async function recompute(deps: LeafDefenceDeps, about: GameCase): Promise<Own> {
  const { cache, hasher, runner, backends } = deps
  const { taskIndex, batchId } = about
  const { bundle } = recordOf(deps, about)
  const { spec, firstTask, salts, inputCommitments } = bundle
  const [model, inputs] = await Promise.all([cache.read(spec.model.sha256), cache.read(bundle.inputs)])
  if (!model || !inputs) {
    throw workerError("E_ARTIFACT_HASH", `model or inputs of disputed task ${taskIndex} are no longer on this disk`)
  }
  const salt = salts[taskIndex - firstTask]!
  const tasks = [{ index: taskIndex, salt, inputCommitment: inputCommitments[taskIndex - firstTask]! }]
  const [task] = await readInputs({ hasher }, { bundle: inputs, ports: spec.model.inputs, tasks })
  const program = compileProgram(model)
  const trace = buildTrace(
    (await backends.work.trace?.(model, task!.inputs)) ??
      (await traceProgram({ runner }, model, task!.inputs, program)),
  )
  const links = linksOf(salt, trace.roots, program)
  const output = joinOutput(commitRoots(outputSalt(salt), links.outputs), commitRoots(digestSalt(salt), links.digests))
  if (output !== about.outputCommitment) {
    const text = `task ${taskIndex} of batch ${batchId} comes out otherwise than what we signed: there is nothing to defend it with`
    throw workerError("WORKER_LEAF_WRONG", text)
  }
  return { program, trace, links }
}

function recordOf({ records }: LeafDefenceDeps, { batchId, taskIndex }: GameCase): LeaseRecord {
  const { jobId } = splitBatchId(batchId)
  const found = records
    .all()
    .find(
      ({ bundle: { lease, firstTask, count } }) =>
        lease.jobId === jobId && taskIndex >= firstTask && taskIndex < firstTask + count,
    )
  if (found) return found
  throw workerError(
    "WORKER_LEAF_LOST",
    `there is no record of disputed task ${taskIndex} of batch ${batchId} on this disk`,
  )
}
