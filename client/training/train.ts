import { setTimeout as sleep } from "node:timers/promises"
import {
  checkSlot,
  createRoundRuntime,
  elementsOf,
  nextState,
  type PreparedModel,
  prepareModel,
  type RoundProgram,
  type RoundRuntime,
  type RoundState,
  type Runner,
  roundTasks,
} from "#engine"
import { formatJobId, isCodedError, type JobView, type Tensor } from "#protocol"
import type { Client } from "../createClient.ts"
import type { DisputeResult } from "../disputes/disputeLeaf.ts"
import { clientError } from "../errors.ts"
import type { TaskOutput } from "../jobs/fetchResults.ts"
import { isOver } from "../jobs/followJob.ts"
import {
  type PostedRound,
  type RoundRecord,
  type SlotRecord,
  type TrainingRun,
  withFinal,
  withoutRoundsFrom,
  withPosted,
  withRound,
} from "./trainingRun.ts"

export type TrainDeps = { readonly client: Client; readonly runner: Runner }

export type TrainParams = {
  readonly program: RoundProgram
  /** Where to go on: `beginRun(program.genesis)` for a new one. */
  readonly run: TrainingRun
  readonly rounds: number
  /** Learning rate of a step, counted over all rounds from 0. */
  readonly rateOf: (step: number) => number
  /** A slot's fee for a round, and the share of slots that are computed again, basis points. */
  readonly fee?: bigint
  readonly auditRate?: number
  readonly title: string
  /** Called before each round is posted; a run ends where its caller has no more (E_BALANCE). */
  readonly fund?: (escrow: bigint) => Promise<unknown>
  /** Called after each change, with what has to be kept to go on from there. */
  readonly keep: (run: TrainingRun) => Promise<void>
  readonly onEvent?: (event: TrainEvent) => void
  readonly signal?: AbortSignal
}

export type TrainEvent =
  | { readonly kind: "posted"; readonly round: number; readonly jobId: bigint; readonly escrow: bigint }
  | { readonly kind: "round"; readonly record: RoundRecord; readonly loss: number }
  | { readonly kind: "final"; readonly round: number }
  | { readonly kind: "refuted"; readonly round: number; readonly slot: number; readonly result: DisputeResult }
  /** Somebody's dispute took a slot's work away after it had been used. */
  | { readonly kind: "reverted"; readonly round: number }

const POLL_MS = 300
const PATIENCE_MS = 120_000

/**
 * Trains round by round. A round is a job like any other, a task a slot; it is used once its audits are in (R33), and
 * its inputs are what follows from the outputs of the round before, computed here, so that no worker can break a link
 * (R32). Every slot's aggregation is compared with ours (R34). A finding after that goes back to its round (R35).
 *
 * @returns the run with every round final
 */
export async function train(deps: TrainDeps, params: TrainParams): Promise<TrainingRun> {
  const { client, runner } = deps
  const { program, rounds, keep, onEvent, signal } = params
  const prepared = await prepareModel({ runner }, program.model)
  const runtime = createRoundRuntime({ runner }, program)
  let run = params.run
  const outputsOf = (jobId: bigint) => patiently(() => client.results(jobId, signal ? { signal } : {}), signal)

  const settle = async () => {
    for (const record of run.rounds) {
      if (record.final) continue
      const { round, jobId } = record
      const view = await patiently(() => client.job(jobId), signal)
      if (isUnderWay(view) && isUsable(view)) continue
      if (isUsable(view) && isWhatWasUsed(record, await outputsOf(jobId))) {
        run = withFinal(run, round)
        onEvent?.({ kind: "final", round })
        continue
      }
      run = withoutRoundsFrom(run, round)
      onEvent?.({ kind: "reverted", round })
      break
    }
    await keep(run)
  }

  while (run.rounds.length < rounds || run.rounds.some(({ final }) => !final)) {
    if (run.rounds.length < rounds) {
      const playing = { ...deps, prepared, runtime }
      if (run.posted?.round !== run.state.round) {
        run = withPosted(run, await postRound(playing, params, run.state))
        await keep(run)
      }
      const played = await playRoundOf(playing, params, { state: run.state, posted: run.posted! })
      run = withRound(run, played.record, played.state)
      await keep(run)
      onEvent?.({ kind: "round", record: played.record, loss: meanLoss(played.record.slots) })
    } else await sleep(POLL_MS, undefined, { signal })
    await settle()
  }
  return run
}

type Playing = TrainDeps & { readonly prepared: PreparedModel; readonly runtime: RoundRuntime }

async function postRound({ client, prepared }: Playing, params: TrainParams, state: RoundState): Promise<PostedRound> {
  const { program, fund, onEvent, signal } = params
  const { round } = state
  const wish = {
    model: prepared,
    tasks: roundTasks(program, state, scheduleOf(params, round)),
    shardSize: 1,
    title: `${params.title}, round ${round}`,
    ...(params.fee === undefined ? {} : { fee: params.fee }),
    ...(params.auditRate === undefined ? {} : { auditRate: params.auditRate }),
  }
  const ready = await patiently(() => client.prepare(wish), signal)
  await fund?.(ready.quote.escrow)
  // The coordinator is asked before the transaction and not after it: what it did not answer can be asked again.
  const { jobId, tx, escrow } = await patiently(() => client.post(ready, signal ? { signal } : {}), signal)
  onEvent?.({ kind: "posted", round, jobId, escrow })
  return { round, jobId, tx, escrow }
}

function scheduleOf({ program, rateOf }: TrainParams, round: number) {
  const rates = Array.from({ length: program.steps }, (_, step) => Math.fround(rateOf(round * program.steps + step)))
  return { rates, included: Array.from({ length: program.slots }, () => true) }
}

async function playRoundOf(
  { client, runtime }: Playing,
  params: TrainParams,
  { state, posted }: { state: RoundState; posted: PostedRound },
): Promise<{ record: RoundRecord; state: RoundState }> {
  const { program, onEvent, signal } = params
  const { round, jobId } = posted
  const { rates, included } = scheduleOf(params, round)
  const expected = await runtime.close(state, included)
  const outputs = await gather({ client, signal }, { jobId, slots: program.slots }, async ({ index, outputs }) => {
    try {
      checkSlot(program.ports, { round, slot: index, outputs, expected })
      return true
    } catch (error) {
      const result = await client.dispute({ jobId, taskIndex: index, ...(signal ? { signal } : {}) })
      // What is computed here comes to the same: the fault is the run's, not the worker's.
      if (result.outcome === "agrees") throw error
      onEvent?.({ kind: "refuted", round, slot: index, result })
      return false
    }
  })
  const next = nextState(program.ports, { state, outputs: outputs.map((task) => task.outputs), expected })
  const record = { ...posted, rates, slots: outputs.map(slotRecord), final: false, began: state }
  return { record, state: next }
}

type Gathering = { readonly client: Client; readonly signal: AbortSignal | undefined }

/**
 * Every slot's outputs, each looked at as soon as its audits are in (R33) and its window is open, for in the end nobody
 * can dispute it. What is found wrong is waited for again.
 * @throws E_ROUND_ENDED where the job is over before that
 */
async function gather(
  { client, signal }: Gathering,
  { jobId, slots }: { jobId: bigint; slots: number },
  isRight: (output: TaskOutput) => Promise<boolean>,
): Promise<TaskOutput[]> {
  const found = new Map<number, TaskOutput>()
  const wrong = new Set<string>()
  for (;;) {
    const view = await patiently(() => client.job(jobId), signal)
    if (view.counts.attested + view.counts.final > found.size) {
      for (const output of await patiently(() => client.results(jobId, signal ? { signal } : {}), signal)) {
        const { index, state, outputCommitment } = output
        if (found.has(index) || wrong.has(outputCommitment) || !IS_AUDITED.has(state)) continue
        if (await isRight(output)) found.set(index, output)
        else wrong.add(outputCommitment)
      }
    }
    if (found.size === slots) return [...found.values()].sort((a, b) => a.index - b.index)
    if (isOver(view)) {
      const message = `job ${formatJobId(jobId)} ended ${view.state} with ${found.size} of ${slots} slots: ${view.reason.text}`
      throw clientError("E_ROUND_ENDED", message)
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

const IS_AUDITED: ReadonlySet<string> = new Set(["attested", "final"])

/** A coordinator that is restarted is waited for: a run does not end because of one participant. */
async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isCodedError(error) || error.code !== "E_COORDINATOR_DOWN" || Date.now() > deadline) throw error
      await sleep(POLL_MS, undefined, { signal })
    }
  }
}

/** R33: the audits of every slot are in. */
function isUsable({ counts, shards }: JobView): boolean {
  return counts.attested + counts.final === shards
}

function isUnderWay({ counts, shards }: JobView): boolean {
  return counts.final < shards
}

/** A slot that was voided and computed again, while nobody looked, may have come to something else. */
function isWhatWasUsed({ slots }: RoundRecord, outputs: readonly TaskOutput[]): boolean {
  return outputs.every(({ index, outputCommitment }) => outputCommitment === slots[index]!.outputCommitment)
}

function slotRecord({ worker, outputCommitment, outputs }: TaskOutput): SlotRecord {
  return { worker, outputCommitment, losses: numbersOf(outputs.losses!) }
}

function numbersOf(tensor: Tensor): number[] {
  return [...(elementsOf(tensor) as Float32Array)]
}

function meanLoss(slots: readonly SlotRecord[]): number {
  const losses = slots.flatMap(({ losses }) => losses)
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}
