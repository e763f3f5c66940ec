import { createRoundRuntime, elementsOf, playRound, type Runner } from "#engine"
import { hexOf, sha256, type TrainingManifest } from "#protocol"
import { type Check, check, checkAll, notDone } from "../verify/check.ts"
import type { VerifyJobResult } from "../verify/verifyJob.ts"
import { manifestOf, type RunPlan, stateRoots } from "./runFolder.ts"
import { trainedModel } from "./trainedModel.ts"
import { beginRun } from "./trainingRun.ts"

export type ReplayRunParams = {
  readonly plan: RunPlan
  readonly manifest: TrainingManifest
  readonly onRound?: (round: number) => void
  readonly signal?: AbortSignal
}

/**
 * Makes a model again, every step of every slot, on this machine alone: the losses, the last state and the model must be
 * the manifest's to the bit. It asks nobody, so it tells nothing of who was paid.
 */
export async function replayRun(
  { runner }: { readonly runner: Runner },
  { plan, manifest, onRound, signal }: ReplayRunParams,
): Promise<VerifyJobResult> {
  const { program } = plan
  const now = manifestOf(plan, beginRun(program.genesis))
  const facts = Object.entries({ ...now.program, parameters: JSON.stringify(now.program.parameters) })
  const stated = { ...manifest.program, parameters: JSON.stringify(manifest.program.parameters) }
  const checks: Check[] = [
    checkAll(
      "program",
      facts,
      ([name, value]) =>
        value === stated[name as keyof typeof stated] ? undefined : `'${name}' is ${value} here, not what it says`,
      "facts of the program are the manifest's",
    ),
  ]
  const runtime = createRoundRuntime({ runner }, program)
  let state = program.genesis
  for (const { round, rates, slots } of manifest.played) {
    if (checks.some(({ ok }) => ok === false)) break
    signal?.throwIfAborted()
    const missing = new Set(slots.flatMap((slot, index) => (slot ? [] : [index])))
    const played = await playRound(runtime, program, { state, rates, missing })
    state = played.state
    checks.push(
      checkAll(
        `round ${round}: steps`,
        slots.flatMap((slot, index) => (slot ? slot.losses.map((loss, step) => ({ loss, step, index })) : [])),
        ({ loss, step, index }) => {
          const found = (elementsOf(played.outputs[index]!.losses!) as Float32Array)[step]
          return found === loss ? undefined : `the loss of step ${step} in slot ${index} is ${found} here, not ${loss}`
        },
        "losses of steps are the manifest's",
      ),
    )
    onRound?.(round)
  }
  if (checks.every(({ ok }) => ok !== false)) {
    checks.push(
      checkAll(
        "state",
        Object.entries(stateRoots(state)),
        ([name, root]) => (root === manifest.state[name] ? undefined : `'${name}' comes to ${root}, not what it says`),
        "tensors, of which the model is made, are those of the manifest",
      ),
    )
    const model = hexOf(sha256(await trainedModel({ runner }, plan, { state })))
    const says = manifest.model === undefined ? ", and the manifest names none" : ""
    checks.push(check("model", model === manifest.model, `model.onnx has sha256 ${model}${says}`))
  }
  checks.push(notDone("jobs", "the run's chain, which has draws, audits and pay: verify without --replay"))
  return { ok: checks.every(({ ok }) => ok !== false), checks }
}
