import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  buildSegment,
  cosineRates,
  createInitializer,
  createRunner,
  initialState,
  readModel,
  type Segment,
  type Training,
  type TrainingState,
  unpackTensors,
} from "#engine"
import type { Tensor } from "#protocol"
import { drawGlyph, SIZE } from "../../../examples/glyphs/drawGlyph.ts"
import { readGlyphModel } from "../../../examples/glyphs/index.ts"
import {
  CLASSES,
  CONV1,
  CONV2,
  createActivations,
  FEATURES,
  forward,
  STRIDE,
  WEIGHT_NAMES,
  type Weights,
} from "../../../examples/glyphs/network.ts"
import { createRandom, type Random } from "../../../examples/glyphs/random.ts"
import { sha256 } from "../support/graphs.ts"
import { createGraph } from "./graph.ts"
import { floatsOf, floatTensor } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

/** Every glyph is seen once; each part of the data is a program of its own, and the state goes on. */
const [PARTS, SAMPLES, BATCH, STEPS_A_SEGMENT] = [4, 48_000, 32, 10]
const STEPS = (PARTS * SAMPLES) / BATCH
/** Drawn by neither training; enough that a difference of a few in ten thousand shows. */
const HELD_OUT = { seed: 0xfeed, count: 20_000 }

/** The glyph network in a form that can be differentiated, from weights of its own seed. */
function glyphTraining(random: Random): Training {
  const g = createGraph()
  const draw = createInitializer(1)
  const conv = (x: string, w: string, b: string, { outChannels, inChannels, kernel, pad }: typeof CONV1): string => {
    const dims = [outChannels, inChannels, kernel, kernel]
    g.parameter(w, draw.normal(dims, Math.sqrt(2 / (inChannels * kernel ** 2))))
    g.parameter(b, draw.filled([outChannels], 0))
    return g.node("Relu", [
      g.node("Conv", [x, w, b], {
        kernel_shape: [kernel, kernel],
        strides: [STRIDE, STRIDE],
        pads: [pad, pad, pad - 1, pad - 1],
      }),
    ])
  }
  const scaled = g.node("Mul", [g.node("Cast", ["scan"], { to: 1 }), g.constant(floatTensor([], [1 / 255]))])
  const shapes = conv(conv(scaled, "w1", "b1", CONV1), "w2", "b2", CONV2)
  g.parameter("w3", draw.normal([FEATURES, CLASSES], Math.sqrt(2 / FEATURES)))
  g.parameter("b3", draw.filled([CLASSES], 0))
  const logits = g.node("Gemm", [g.node("Flatten", [shapes], { axis: 1 }), "w3", "b3"])
  const glyphs = Array.from({ length: SAMPLES }, (_, i) => drawGlyph(i % CLASSES, random))
  const bytes = (dims: readonly number[], data: Uint8Array): Tensor => ({ dtype: "uint8", dims, data })
  return {
    model: g.build(
      [{ name: "scan", dtype: "uint8", dims: [BATCH, 1, SIZE, SIZE] }],
      [{ name: logits, dtype: "float32", dims: [BATCH, CLASSES] }],
    ),
    loss: { kind: "crossEntropy", logits, targets: "label" },
    data: {
      scan: bytes([SAMPLES, 1, SIZE, SIZE], new Uint8Array(Buffer.concat(glyphs.map(({ pixels }) => pixels)))),
      label: bytes(
        [SAMPLES],
        Uint8Array.from(glyphs, ({ label }) => label),
      ),
    },
    batch: BATCH,
    optimizer: { kind: "adamw", weightDecay: 0.01 },
    parameters: WEIGHT_NAMES,
  }
}

test("behavior: the glyph network, trained by the engine's steps, on one machine, reads as well as the one that four slots trained", async (t) => {
  const strokes = createRandom(1)
  const schedule = { peak: 3e-3, warmUp: 1, total: STEPS }
  const started = performance.now()
  let segment: Segment | undefined
  let state: TrainingState = []
  for (let part = 0; part < PARTS; part++) {
    const training = glyphTraining(strokes)
    segment = buildSegment(training, STEPS_A_SEGMENT)
    if (part === 0) state = initialState(segment, training.model)
    const hash = sha256(segment.bytes)
    await runner.load(segment.bytes, hash)
    for (let done = 0; done < STEPS / PARTS; done += STEPS_A_SEGMENT) {
      const rates = cosineRates(schedule, (part * STEPS) / PARTS + done, STEPS_A_SEGMENT)
      state = (await runner.run(hash, [...state, rates])).slice(0, -1)
    }
  }
  const seconds = (performance.now() - started) / 1000

  const byEngine = weightsOf((name) => unpackTensors(segment!.parameters, state[0]!).get(name)!)
  const { graph } = readModel((await readGlyphModel()).bytes)
  const bySlots = weightsOf((name) => graph.initializers.find((initializer) => initializer.name === name)!.read())
  const [mine, theirs] = wrongOf([byEngine, bySlots]) as [number, number]
  t.diagnostic(
    `${mine} of ${HELD_OUT.count} wrong after ${STEPS} steps in ${seconds.toFixed(1)} s; ${theirs} wrong of four slots'`,
  )
  // Two counts of rare errors differ by chance by about the root of their sum.
  assert.ok(mine <= theirs + 2 * Math.sqrt(mine + theirs), `${mine} wrong against ${theirs}`)
})

function weightsOf(read: (name: string) => Tensor): Weights {
  return Object.fromEntries(WEIGHT_NAMES.map((name) => [name, floatsOf(read(name))])) as unknown as Weights
}

/** How many of the held-out glyphs each network reads wrong. */
function wrongOf(networks: readonly Weights[]): number[] {
  const activations = createActivations()
  const random = createRandom(HELD_OUT.seed)
  const wrong = networks.map(() => 0)
  for (let i = 0; i < HELD_OUT.count; i++) {
    const { label, pixels } = drawGlyph(i % CLASSES, random)
    for (const [n, weights] of networks.entries()) {
      forward(weights, pixels, activations)
      const { logits } = activations
      if (logits.indexOf(logits.reduce((a, b) => Math.max(a, b))) !== label) wrong[n]!++
    }
  }
  return wrong
}
