import { type Address, isAddressEqual } from "viem"
import { type Backend, compileProgram, type Runner, traceProgram } from "#engine"
import {
  buildTrace,
  commitRoots,
  defendantCall,
  digestSalt,
  disputeGameAbi,
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
} from "#protocol"
import type { ArtifactCache } from "../artifacts/cache.ts"
import type { ChainEvent } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import { readInputs } from "../leases/readInputs.ts"
import type { LeaseRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import { pause } from "../support/sleep.ts"
import { callOutSilence, type Disputed, type GameTableDeps, readGame, sendMove } from "./gameTable.ts"

export type LeafDefenceDeps = GameTableDeps & {
  account: Address
  records: Pick<RecordStore, "all">
  cache: Pick<ArtifactCache, "read">
  hasher: Hasher
  runner: Runner
  /** The cheats among the examples bring a trace of their own. */
  backends: { work: Pick<Backend, "trace"> }
  signal: AbortSignal
}

/** Answers every dispute of a leaf of ours by itself, until it is over (R27). Silence would lose it. */
export type LeafDefence = {
  note(event: ChainEvent): void
  /** At its first call takes up what was open when this process began. */
  onHead(): Promise<void>
}

type Own = { program: OpenProgram; trace: Trace; links: Links }

const POLL_MS = 500
/** `IDisputeGame.Kind`: a dispute of a verdict is about what we audited, not about a leaf. */
const VERDICT = 2
/** What no other try can mend. */
const HOPELESS = ["WORKER_LEAF_WRONG", "WORKER_LEAF_LOST"]

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
      if (record && isChallengersTurn(record)) await callOutSilence(deps, record)
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

async function answer(deps: LeafDefenceDeps, record: GameRecord, { program, trace, links }: Own): Promise<void> {
  const { turn, shown } = record
  const move = nextDefendantMove({ turn, shown, own: trace, program })
  if (move.move === "wait") return
  await sendMove(deps, record, {
    move: move.move,
    call: defendantCall(move, { record }, { program, links }),
    text: `a dispute of a leaf of ours is answered (${move.move})`,
  })
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
