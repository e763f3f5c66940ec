import type { RunPlan, TrainingRun } from "#client"
import { closeRun, type Runner, withParameters } from "#engine"

/** The model as it is after the last round played: usable at any time, whatever ended the run. */
export async function trainedModel(
  { runner }: { runner: Runner },
  plan: RunPlan,
  run: TrainingRun,
): Promise<Uint8Array> {
  return withParameters(plan.forward, plan.parameters, await closeRun({ runner }, plan.program, run.state))
}
