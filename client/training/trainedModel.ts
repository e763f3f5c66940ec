import { closeRun, type Runner, withParameters } from "#engine"
import type { RunPlan } from "./runFolder.ts"
import type { TrainingRun } from "./trainingRun.ts"

/** The model as it is after the last round played: usable at any time, whatever ended the run. */
export async function trainedModel(
  { runner }: { readonly runner: Runner },
  plan: Pick<RunPlan, "program" | "forward" | "parameters">,
  { state }: Pick<TrainingRun, "state">,
): Promise<Uint8Array> {
  return withParameters(plan.forward, plan.parameters, await closeRun({ runner }, plan.program, state))
}
