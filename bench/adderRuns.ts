import { type Parameter, type Runner, type Training, withParameters } from "#engine"
import type { Tensor } from "#protocol"
import { adderModel } from "../examples/adder/network.ts"
import { type Addition, encodeAdditions } from "../examples/adder/sums.ts"
import { adderTraining } from "../examples/adder/training.ts"
import { meanCrossEntropy } from "./loss.ts"

const LOSS_BATCH = 500

/** The adder's recipe with other weights to begin with, another order of samples, and another batch. */
export function adderOf(seed: number, batch: number): Training {
  return { ...adderTraining(), model: adderModel(batch, seed), batch, seed }
}

/** Mean cross-entropy a digit. `additions` are a multiple of 500. */
export async function lossOn(
  runner: Runner,
  parameters: readonly Parameter[],
  p: Tensor,
  additions: readonly Addition[],
): Promise<number> {
  const model = withParameters(adderModel(LOSS_BATCH), parameters, p)
  return meanCrossEntropy(runner, model, encodeAdditions(additions), LOSS_BATCH)
}
