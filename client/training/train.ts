import { setTimeout as sleep } from "node:timers/promises"
import type { Hex } from "viem"
import {
  checkSlot,
  createRoundRuntime,
  elementsOf,
  nextState,
  type PreparedModel,
  prepareModel,
  type RoundProgram,
  type RoundState,
  type Runner,
  roundTasks,
  type Tensors,
} from "#engine"
import { formatJobId, isCodedError, type Tensor } from "#protocol"
import { chainTimeOf } from "../chain/connectChain.ts"
import { revertedWith } from "../chain/sendCall.ts"
import type { Client } from "../createClient.ts"
import type { DisputeResult } from "../disputes/disputeLeaf.ts"
import type { DisputeTaskParams } from "../disputes/disputeTask.ts"
import { clientError } from "../errors.ts"
import type { TaskOutput } from "../jobs/fetchResults.ts"
import { isOver } from "../jobs/followJob.ts"
import {
  meanLoss,
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
  /** After these seconds a round is closed with as few slots as this; where it is left out, all are waited for. */
  readonly quorum?: { readonly slots: number; readonly seconds: number }
  /** Called once, before the first round, with the program of all rounds' jobs. @returns the model's id */
  readonly register?: (programRoot: Hex) => Promise<Hex>
  /** Called before each round is posted; a run ends where its caller has no more (E_BALANCE). */
  readonly fund?: (escrow: bigint) => Promise<unknown>
  /** Called after each change, with what has to be kept to go on from there. */
  readonly keep: (run: TrainingRun) => Promise<void>
  readonly onEvent?: (event: TrainEvent) => void
  readonly signal?: AbortSignal
}

export type TrainEvent =
  | {
      readonly kind: "posted"
      readonly round: number
      readonly jobId: bigint
      readonly escrow: bigint
      /** Whether its work gives shares of the run's model. */
      readonly shared: boolean
    }
  | { readonly kind: "round"; readonly record: RoundRecord; readonly loss: number }
  | { readonly kind: "final"; readonly round: number }
  | { readonly kind: "refuted"; readonly round: number; readonly slot: number; readonly result: DisputeResult }
  /** Wrong, and final before anybody disputed it: the round does without it. */
  | { readonly kind: "lost"; readonly round: number; readonly slot: number }
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
  const { program, rounds, onEvent, signal } = params
  const prepared = await prepareModel({ runner }, program.model)
  const runtime = createRoundRuntime({ runner }, program)
  const playing = { ...deps, prepared }
  let run = params.run
  const keep = async (changed: TrainingRun) => {
    run = changed
    await params.keep(run)
  }

  const isNew = run.rounds.length === 0 && run.posted === undefined && run.modelId === undefined
  if (isNew && params.register) await keep({ ...run, modelId: await params.register(prepared.programRoot) })
  while (run.rounds.length < rounds || run.rounds.some(({ final }) => !final)) {
    if (run.rounds.length < rounds) {
      const expected = await runtime.close(run.state)
      const posted = await postRound(playing, params, { run, expected }, keep)
      const { record, state } = await playRoundOf(playing, params, { state: run.state, expected, posted })
      await keep(withRound(run, record, state))
      onEvent?.({ kind: "round", record, loss: meanLoss(record) })
    } else await sleep(POLL_MS, undefined, { signal })
    for (const record of run.rounds) {
      if (record.final) continue
      const settled = await settle({ client, signal }, record)
      if (settled === "open") continue
      if (settled === "final") {
        await keep(withFinal(run, record.round))
        onEvent?.({ kind: "final", round: record.round })
        continue
      }
      await keep(withoutRoundsFrom(run, record.round))
      onEvent?.({ kind: "reverted", round: record.round })
      break
    }
  }
  return run
}

/** Whether what was used of a round can no longer be disputed, or was taken away and perhaps computed again unseen. */
async function settle(
  { client, signal }: Asking,
  { jobId, slots }: RoundRecord,
): Promise<"open" | "final" | "changed"> {
  const { state, counts } = await patiently(() => client.job(jobId), signal)
  const used = slots.filter((slot) => slot !== null).length
  // A slot that was not waited for: if somebody is at it, it is paid when it comes; if nobody is, its escrow comes back.
  if (used < slots.length && state === "open") await closeOnce(client, jobId)
  if (counts.attested + counts.final < used) return "changed"
  if (counts.final < used) return "open"
  const outputs = await fetchOutputs({ client, signal }, jobId)
  const now = slots.map((slot, i) => slot && outputs.find(({ index }) => index === i))
  if (slots.some((slot, i) => slot?.outputCommitment !== now[i]?.outputCommitment)) return "changed"
  return now.some((output) => output && output.state !== "final") ? "open" : "final"
}

/** The coordinator may not have seen yet that it is closed. */
async function closeOnce(client: Client, jobId: bigint): Promise<void> {
  await client.close(jobId).catch((error: unknown) => {
    if (revertedWith(error) !== "JobClosedAlready") throw error
  })
}

type Asking = { readonly client: Client; readonly signal: AbortSignal | undefined }
type Playing = TrainDeps & { readonly prepared: PreparedModel }

/**
 * The next round's job. It is written down before it is posted: whoever goes on after a crash in between finds it on
 * chain, or posts the same one, which has the same id and cannot be paid twice.
 */
async function postRound(
  { client, prepared }: Playing,
  params: TrainParams,
  { run, expected }: { run: TrainingRun; expected: Tensors },
  keep: (run: TrainingRun) => Promise<void>,
): Promise<PostedRound & { readonly tx: Hex }> {
  const { program, fund, onEvent, signal } = params
  const { state } = run
  const { round } = state
  const before = run.posted?.round === round ? run.posted : undefined
  const seen = before && (before.tx ?? (await client.postingOf(before.jobId)))
  if (seen) {
    const posted = { ...before, tx: seen }
    if (!before.tx) await keep(withPosted(run, posted))
    return posted
  }
  // After its deadline no transaction posts it any more.
  const again = before && (await chainTimeOf(client.chain)) < before.deadline ? before : undefined
  const next = run.modelId === undefined ? undefined : await client.models.nextNonce(run.modelId, run.rounds.length)
  const given = again?.nonce ?? next
  const wish = {
    model: prepared,
    tasks: await roundTasks(program, state, ratesOf(params, round)),
    // Every slot puts out what follows from the inputs: no slot need send it.
    expected: Object.values(expected),
    shardSize: 1,
    title: `${params.title}, round ${round}`,
    ...(given === undefined ? {} : { nonce: given }),
    ...(again === undefined ? {} : { deadline: again.deadline }),
    ...(params.fee === undefined ? {} : { fee: params.fee }),
    ...(params.auditRate === undefined ? {} : { auditRate: params.auditRate }),
  }
  const ready = await patiently(() => client.prepare(wish), signal)
  const { jobId, nonce, deadline } = ready
  const { escrow } = ready.quote
  await fund?.(escrow)
  const posted = { round, jobId, escrow, nonce, deadline, postedAt: Math.floor(Date.now() / 1000) }
  await keep(withPosted(run, posted))
  // The coordinator is asked before the transaction and not after it: what it did not answer can be asked again.
  const { tx } = await patiently(() => client.post(ready, signal ? { signal } : {}), signal)
  await keep(withPosted(run, { ...posted, tx }))
  onEvent?.({ kind: "posted", round, jobId, escrow, shared: next !== undefined })
  return { ...posted, tx }
}

function ratesOf({ program, rateOf }: TrainParams, round: number): number[] {
  return Array.from({ length: program.steps }, (_, step) => Math.fround(rateOf(round * program.steps + step)))
}

type PlayParams = {
  readonly state: RoundState
  /** The shared tensors that follow from it. */
  readonly expected: Tensors
  readonly posted: PostedRound & { readonly tx: Hex }
}

async function playRoundOf(
  { client }: Playing,
  params: TrainParams,
  { state, expected, posted }: PlayParams,
): Promise<{ record: RoundRecord; state: RoundState }> {
  const { program, quorum, onEvent, signal } = params
  const { round, jobId, tx, escrow, postedAt } = posted
  const gathering = {
    jobId,
    slots: program.slots,
    least: quorum?.slots ?? program.slots,
    closesAt: (postedAt + (quorum?.seconds ?? 0)) * 1000,
    onLost: (slot: number) => onEvent?.({ kind: "lost", round, slot }),
  }
  const outputs = await gather({ client, signal }, gathering, async ({ index, outputs }) => {
    try {
      checkSlot(program.ports, { round, slot: index, outputs, expected })
      return true
    } catch (error) {
      const result = await disputeInTime(client, { jobId, taskIndex: index, ...(signal ? { signal } : {}) })
      // Somebody else's dispute may still take it away.
      if (result === "late") return false
      // What is computed here comes to the same: the fault is the run's, not the worker's.
      if (result.outcome === "agrees") throw error
      onEvent?.({ kind: "refuted", round, slot: index, result })
      return false
    }
  })
  const next = nextState(program.ports, { state, outputs: outputs.map((task) => task?.outputs), expected })
  const slots = outputs.map((output) => (output ? slotRecord(output) : null))
  const record = { round, jobId, tx, escrow, rates: ratesOf(params, round), slots, final: false, began: state }
  return { record, state: next }
}

type Gathering = {
  readonly jobId: bigint
  readonly slots: number
  /** So many are enough after `closesAt`, Unix time in milliseconds. */
  readonly least: number
  readonly closesAt: number
  readonly onLost: (slot: number) => void
}

/**
 * Every slot's outputs, each looked at as soon as its audits are in (R33) and its window is open, for in the end nobody
 * can dispute it. What is wrong is waited for again, until it is final all the same.
 * @throws E_ROUND_ENDED where the job is over before that
 */
async function gather(
  { client, signal }: Asking,
  { jobId, slots, least, closesAt, onLost }: Gathering,
  isRight: (output: TaskOutput) => Promise<boolean>,
): Promise<(TaskOutput | undefined)[]> {
  /** Undefined for a slot that nothing more can come of. */
  const found = new Map<number, TaskOutput | undefined>()
  /** By batch and slot. */
  const wrong = new Set<string>()
  for (;;) {
    const view = await patiently(() => client.job(jobId), signal)
    if (view.counts.attested + view.counts.final > found.size) {
      for (const output of await fetchOutputs({ client, signal }, jobId)) {
        const { index, state, batchId } = output
        const place = `${batchId}/${index}`
        if (found.has(index) || !IS_AUDITED.has(state)) continue
        if (!wrong.has(place) && (await isRight(output))) {
          found.set(index, output)
          continue
        }
        wrong.add(place)
        if (state !== "final") continue
        found.set(index, undefined)
        onLost(index)
      }
    }
    const over = isOver(view)
    const right = [...found.values()].filter((output) => output !== undefined).length
    if (right > 0 && (found.size === slots || (right >= least && (over || Date.now() >= closesAt)))) {
      return Array.from({ length: slots }, (_, slot) => found.get(slot))
    }
    if (over) {
      const message = `job ${formatJobId(jobId)} ended ${view.state} with ${right} of ${slots} slots: ${view.reason.text}`
      throw clientError("E_ROUND_ENDED", message)
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** Shared tensors are in every slot's outputs, and outputs are looked at more than once: neither comes twice. */
function fetchOutputs({ client, signal }: Asking, jobId: bigint): Promise<TaskOutput[]> {
  return patiently(() => client.results(jobId, { isShared: true, ...(signal ? { signal } : {}) }), signal)
}

async function disputeInTime(client: Client, params: DisputeTaskParams): Promise<DisputeResult | "late"> {
  return client.dispute(params).catch((error: unknown) => {
    const isClosed = isCodedError(error) && error.code === "E_DISPUTE_CLOSED"
    if (isClosed || revertedWith(error) === "DisputeClosed") return "late"
    throw error
  })
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

function slotRecord({ worker, outputCommitment, outputs }: TaskOutput): SlotRecord {
  return { worker, outputCommitment, losses: numbersOf(outputs.losses!) }
}

function numbersOf(tensor: Tensor): number[] {
  return [...(elementsOf(tensor) as Float32Array)]
}
