import type { Training } from "#engine"
import { adderModel, LOGITS, PARAMETERS } from "./network.ts"
import { drawAdditions, encodeAdditions } from "./sums.ts"

/** Of all 1,000,000 pairs; held-out ones stand behind them in the same shuffle, so that none is in both. */
export const SAMPLES = { train: 60_000, heldOut: 20_000 }
export const BATCH = 64
export const SCHEDULE = { peak: 3e-3, warmUp: 200, total: 1_500 }

/** How the adder learns: one worker, nothing compressed. */
export function adderTraining(): Training {
  const { tokens, answers } = encodeAdditions(drawAdditions(0, SAMPLES.train))
  return {
    model: adderModel(BATCH),
    loss: { kind: "crossEntropy", logits: LOGITS, targets: "answers" },
    data: { tokens, answers },
    batch: BATCH,
    optimizer: { kind: "adamw" },
    parameters: PARAMETERS,
    clipNorm: 1,
  }
}
