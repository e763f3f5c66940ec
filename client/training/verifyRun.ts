import type { Hex } from "viem"
import {
  checkSlot,
  createRoundRuntime,
  nextState,
  type PreparedModel,
  prepareModel,
  type RoundState,
  type Runner,
  roundTasks,
} from "#engine"
import { formatJobId, isCodedError, type TrainingManifest } from "#protocol"
import type { Client } from "../createClient.ts"
import { type Check, check, checkAll } from "../verify/check.ts"
import type { VerifyJobResult } from "../verify/verifyJob.ts"
import { type RunPlan, stateRoots } from "./runFolder.ts"

export type VerifyRunParams = {
  readonly plan: RunPlan
  readonly manifest: TrainingManifest
  readonly signal?: AbortSignal
}

/**
 * Derives a trained model again: every round's job by itself (draw, leaves, verdicts, pay), that it ran the run's
 * program, that its inputs follow from the round before (R32) and its aggregation from what was sent (R34), and that the
 * last state is the model. Needs the key of who trained, for inputs and outputs are theirs.
 */
export async function verifyRun(
  { client, runner }: { client: Client; runner: Runner },
  { plan, manifest, signal }: VerifyRunParams,
): Promise<VerifyJobResult> {
  const { program } = plan
  const model = await prepareModel({ runner }, program.model)
  const runtime = createRoundRuntime({ runner }, program)
  const checks: Check[] = []
  let state: RoundState = program.genesis
  for (const record of manifest.played) {
    const { round, jobId, slots, rates } = record
    const name = `round ${round}`
    const job = await client.verify(jobId, signal ? { signal } : {})
    const failed = job.checks.find(({ ok }) => ok === false)
    const detail = failed
      ? `${failed.name}: ${failed.detail}`
      : `${job.checks.length} checks of job ${formatJobId(jobId)}`
    checks.push(check(`${name}: job`, job.ok, detail))
    checks.push(await linkCheck(client, { name, jobId, model, state, rates, program }))
    // What came late is the worker's to be paid for, and no part of the model.
    const outputs = (await client.results(jobId, signal ? { signal } : {})).filter(({ index }) => slots[index])
    checks.push(
      checkAll(
        `${name}: results`,
        slots.flatMap((slot, index) => (slot ? { ...slot, index } : [])),
        ({ index, outputCommitment, worker }) => {
          const one = outputs.find((output) => output.index === index)
          const same = one?.outputCommitment === outputCommitment && one.worker === worker
          return same ? undefined : `${worker} committed to something else in slot ${index} than the manifest says`
        },
        "slots are as the manifest says",
      ),
    )
    const expected = await runtime.close(state)
    checks.push(
      checkAll(
        `${name}: aggregation`,
        outputs,
        ({ index, outputs: tensors }) => {
          try {
            checkSlot(program.ports, { round, slot: index, outputs: tensors, expected })
            return undefined
          } catch (error) {
            if (isCodedError(error)) return error.message
            throw error
          }
        },
        "slots computed the next state as it follows",
      ),
    )
    if (checks.some(({ ok }) => ok === false)) break
    const tensors = slots.map((_, slot) => outputs.find(({ index }) => index === slot)?.outputs)
    state = nextState(program.ports, { state, outputs: tensors, expected })
  }
  const found = Object.entries(stateRoots(state))
  checks.push(
    checkAll(
      "model",
      found,
      ([name, root]) => (root === manifest.state[name] ? undefined : `'${name}' comes to ${root}, not what it says`),
      "tensors, of which the model is made, are those of the manifest",
    ),
  )
  if (manifest.modelId !== undefined) {
    checks.push(await registerCheck(client, { manifest, modelId: manifest.modelId, programRoot: model.programRoot }))
  }
  return { ok: checks.every(({ ok }) => ok !== false), checks }
}

type RegisterParams = { manifest: TrainingManifest; modelId: Hex; programRoot: Hex }

/** What the ModelRegistry has under the run's id is of this run, and, where it is complete, this very model. */
async function registerCheck(client: Client, { manifest, modelId, programRoot }: RegisterParams): Promise<Check> {
  const registered = await client.models.read(modelId)
  const isOurs = registered.programRoot === programRoot
  if (!isOurs) return check("register", false, `model ${modelId} is registered for another program`)
  if (!registered.complete) return check("register", true, `${registered.shares} shares; in training`)
  const same = registered.model === manifest.model
  return check("register", same, `${registered.shares} shares; registered with the model ${registered.model}`)
}

type LinkParams = {
  name: string
  jobId: bigint
  model: PreparedModel
  state: RoundState
  rates: readonly number[]
  program: RunPlan["program"]
}

async function linkCheck(client: Client, params: LinkParams): Promise<Check> {
  const { name, jobId, model, state, rates, program } = params
  const tasks = await roundTasks(program, state, rates)
  const same = await client.isPlanOf(jobId, { model, tasks })
  const detail = same
    ? "program and inputs are what follows from the round before"
    : "the job's program or inputs are not what follows from the round before"
  return check(`${name}: links`, same, detail)
}
