import { writeFile } from "node:fs/promises"
import { drawGlyph } from "./drawGlyph.ts"
import { glyphModel, MODEL_PATH } from "./glyphModel.ts"
import {
  backward,
  CLASSES,
  createActivations,
  forward,
  randomWeights,
  WEIGHT_NAMES,
  type Weights,
  zeroWeights,
} from "./network.ts"
import { createRandom, type Random } from "./random.ts"

/**
 * Trains the recogniser and writes glyphs.onnx: `node examples/glyphs/train.ts`, a minute or two on one core. Every
 * glyph is drawn anew, so there is no training set to learn by heart; the held-out ones come from another seed.
 */

const STEPS = 6_000
const BATCH = 32
const PEAK_RATE = 3e-3
const HELD_OUT = 5_000

/** Adam, https://arxiv.org/abs/1412.6980, with the paper's constants. */
const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-8

function train(random: Random): Weights {
  const weights = randomWeights(random)
  const [mean, square] = [zeroWeights(), zeroWeights()]
  const activations = createActivations()
  let recentLoss = 0
  for (let step = 1; step <= STEPS; step++) {
    const gradient = zeroWeights()
    for (let i = 0; i < BATCH; i++) {
      const glyph = drawGlyph(Math.floor(random.next() * CLASSES), random)
      forward(weights, glyph.pixels, activations)
      recentLoss += backward(weights, glyph.label, activations, gradient) / BATCH
    }
    const rate = (PEAK_RATE / 2) * (1 + Math.cos((Math.PI * step) / STEPS))
    for (const name of WEIGHT_NAMES) adam(weights[name], gradient[name], mean[name], square[name], step, rate)
    if (step % 500 === 0) {
      console.log(`step ${step} of ${STEPS}: loss ${(recentLoss / 500).toFixed(4)}`)
      recentLoss = 0
    }
  }
  return weights
}

function adam(
  weight: Float32Array,
  gradient: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  step: number,
  rate: number,
): void {
  const scale = (rate * Math.sqrt(1 - BETA2 ** step)) / (1 - BETA1 ** step)
  for (let i = 0; i < weight.length; i++) {
    const slope = gradient[i]! / BATCH
    mean[i] = BETA1 * mean[i]! + (1 - BETA1) * slope
    square[i] = BETA2 * square[i]! + (1 - BETA2) * slope * slope
    weight[i]! -= (scale * mean[i]!) / (Math.sqrt(square[i]!) + EPSILON)
  }
}

/** The share of glyphs never seen in training that are read right. */
function accuracy(weights: Weights, random: Random): number {
  const activations = createActivations()
  let right = 0
  for (let i = 0; i < HELD_OUT; i++) {
    const glyph = drawGlyph(i % CLASSES, random)
    forward(weights, glyph.pixels, activations)
    const best = activations.logits.indexOf(activations.logits.reduce((a, b) => Math.max(a, b)))
    if (best === glyph.label) right++
  }
  return right / HELD_OUT
}

const started = performance.now()
const weights = train(createRandom(1))
const held = accuracy(weights, createRandom(0x5eed))
const bytes = glyphModel(weights, held)
await writeFile(MODEL_PATH, bytes)
console.log(
  `held-out accuracy ${(held * 100).toFixed(2)} % of ${HELD_OUT}, ${bytes.length} bytes, ${Math.round((performance.now() - started) / 1000)} s`,
)
