import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { type Address, isAddressEqual } from "viem"
import { z } from "zod"
import { compileProgram, type Runner, traceProgram } from "#engine"
import {
  type AuditBundle,
  AuditBundleSchema,
  buildTrace,
  challengerCall,
  defendantCall,
  disputeGameAbi,
  formatBatchId,
  type GameRecord,
  isChallengersTurn,
  type Links,
  linksOf,
  nextChallengerMove,
  nextDefendantMove,
  type OpenProgram,
  type Trace,
} from "#protocol"
import type { Peer } from "../api/peer.ts"
import type { ArtifactCache } from "../artifacts/cache.ts"
import { fetchTaskFiles } from "../artifacts/fetchTaskFiles.ts"
import type { ChainEvent } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import { readInputs } from "../leases/readInputs.ts"
import { writeDurably } from "../support/files.ts"
import { pause } from "../support/sleep.ts"
import { callOutSilence, contextOf, type Disputed, type GameTableDeps, readGame, sendMove } from "./gameTable.ts"

export type VerdictStandDeps = GameTableDeps & {
  account: Address
  /** Where audits that were given are kept while their batches live. */
  folder: string
  cache: ArtifactCache
  peer: Peer
  hasher: Hasher
  runner: Runner
  signal: AbortSignal
}

/**
 * A verdict of ours that differs from its leaf is the opening of a dispute, whoever posts it, and anyone may dispute the
 * verdict itself: in both, silence would cost our seat C_v (R22, R27). The task is computed again with every wire.
 */
export type VerdictStand = {
  /** What was audited, kept until its batch has ended: a dispute needs input and salt again. */
  given(bundle: AuditBundle): Promise<void>
  note(event: ChainEvent): void
  /** At its first call takes up what was open when this process began. */
  onHead(): Promise<void>
}

type Own = { program: OpenProgram; trace: Trace; links: Links }

const POLL_MS = 500
/** `IDisputeGame.Kind`. */
const MISMATCH = 1
const VERDICT = 2
const ENDS = ["BatchFinalized", "BatchForfeited", "BatchWithdrawn"]

export function createVerdictStand(deps: VerdictStandDeps): VerdictStand {
  const { account, chain, events, folder, signal } = deps
  const running = new Set<bigint>()
  let resumed = false
  const pathOf = (batchId: bigint) => join(folder, `${formatBatchId(batchId)}.json`)

  function take(disputed: Disputed): void {
    const { disputeId, about } = disputed
    const accuses = about.kind === MISMATCH && isAddressEqual(about.challenger, account)
    const accused = about.kind === VERDICT && isAddressEqual(about.defendant, account)
    if ((!accuses && !accused) || running.has(disputeId)) return
    running.add(disputeId)
    pursue(deps, disputed, pathOf(about.batchId))
      .catch((error: unknown) => {
        if (!signal.aborted) events.fail(error)
      })
      .finally(() => running.delete(disputeId))
  }

  return {
    async given(bundle) {
      const known = await readAudits(pathOf(bundle.batchId))
      const text = JSON.stringify([...known, bundle].map((audit) => z.encode(AuditBundleSchema, audit)))
      await writeDurably(pathOf(bundle.batchId), text)
    },
    note(event) {
      if (event.eventName === "DisputeOpened" && "dispute" in event.args) {
        const { disputeId, dispute } = event.args
        take({ disputeId, about: dispute, fromBlock: event.blockNumber })
      }
      // A batch with an open dispute does not end, so what is deleted here is not needed any more.
      if (ENDS.includes(event.eventName) && "batchId" in event.args && typeof event.args.batchId === "bigint")
        rm(pathOf(event.args.batchId), { force: true }).catch((error: unknown) => events.fail(error))
    },
    async onHead() {
      if (resumed) return
      const opened = await chain.client.getContractEvents({
        address: chain.deployment.contracts.game,
        abi: disputeGameAbi,
        eventName: "DisputeOpened",
        fromBlock: BigInt(chain.deployment.deployedBlock),
        strict: true,
      })
      for (const { args, blockNumber } of opened)
        take({ disputeId: args.disputeId, about: args.dispute, fromBlock: blockNumber })
      resumed = true
    },
  }
}

async function pursue(deps: VerdictStandDeps, disputed: Disputed, path: string): Promise<void> {
  const { events, signal } = deps
  let own: Own | undefined
  while (!signal.aborted) {
    try {
      const record = await readGame(deps, disputed)
      if (record?.turn.phase === "Over") {
        const { disputeId, outcome, reason } = record
        const text = `the dispute about our verdict is ${outcome}: ${reason}`
        return events.emit({ kind: "disputed", disputeId, move: outcome, text })
      }
      const accuses = disputed.about.kind === MISMATCH
      if (record && isChallengersTurn(record) !== accuses) await callOutSilence(deps, record)
      else if (record) {
        own ??= await recompute(deps, disputed, path)
        await (accuses ? accuse(deps, record, own) : defend(deps, record, own))
      }
      events.resume("verdictStand")
    } catch (error) {
      if (codeOf(error) === "WORKER_VERDICT_WRONG") throw error
      // A chain or a peer that is away, or a busy machine: the clock still runs, so it is tried again.
      events.wait("verdictStand", "refused", codeOf(error), textOf(error))
    }
    await pause(POLL_MS, signal)
  }
}

async function accuse(deps: VerdictStandDeps, record: GameRecord, { program, trace }: Own): Promise<void> {
  const { turn, shown } = record
  const move = nextChallengerMove({ turn, shown, own: trace, program })
  if (move.move === "concede") throw workerError("WORKER_VERDICT_WRONG", "our verdict was wrong: nothing to show")
  if (move.move === "wait") return
  const call = challengerCall(move, { record, ...(await contextOf(deps, record.about)) }, program)
  await sendMove(deps, record, { move: move.move, call, text: `a mismatch that we found is played out (${move.move})` })
}

/** Somebody disputes the verdict itself: what a worker does for its leaf, a verifier does for its verdict. */
async function defend(deps: VerdictStandDeps, record: GameRecord, { program, trace, links }: Own): Promise<void> {
  const { turn, shown } = record
  const move = nextDefendantMove({ turn, shown, own: trace, program })
  if (move.move === "wait") return
  const call = defendantCall(move, { record }, { program, links })
  await sendMove(deps, record, { move: move.move, call, text: `a dispute of our verdict is answered (${move.move})` })
}

async function recompute(deps: VerdictStandDeps, { about }: Disputed, path: string): Promise<Own> {
  const { cache, hasher, runner, signal } = deps
  const audits = await readAudits(path)
  const bundle = audits.find(({ samples }) => samples.some(({ position }) => position === about.position))
  const sample = bundle?.samples.find(({ position }) => position === about.position)
  if (!bundle || !sample) {
    throw workerError("WORKER_AUDIT_LOST", `there is no record of our audit of position ${about.position} on this disk`)
  }
  const { spec, inputs } = bundle
  const inputBytes = spec.shards.reduce((sum, { bytes }) => sum + bytes, 2 ** 21)
  const files = await fetchTaskFiles(deps, { spec, inputs, inputBytes, signal })
  const model = await cache.read(spec.model.sha256)
  if (!model) throw workerError("E_ARTIFACT_HASH", "the disputed task's model is no longer on this disk")
  const tasks = bundle.samples.map(({ taskIndex, salt, inputCommitment }) => ({
    index: taskIndex,
    salt,
    inputCommitment,
  }))
  const shardTasks = await readInputs({ hasher }, { bundle: files.bundle, ports: spec.model.inputs, tasks })
  const task = shardTasks.find(({ index }) => index === sample.taskIndex)!
  const program = compileProgram(model)
  const trace = buildTrace(await traceProgram({ runner }, model, task.inputs, program))
  return { program, trace, links: linksOf(sample.salt, trace.roots, program) }
}

async function readAudits(path: string): Promise<AuditBundle[]> {
  try {
    const json: unknown = JSON.parse(await readFile(path, "utf8"))
    return Array.isArray(json) ? json.map((audit) => AuditBundleSchema.parse(audit)) : []
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}
