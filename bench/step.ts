import { createHash } from "node:crypto"
import * as tf from "@tensorflow/tfjs"
import "@tensorflow/tfjs-backend-wasm"
import {
  buildSegment,
  createRunner,
  createSampleOrder,
  initialState,
  type Parameter,
  type Segment,
  samplesOf,
  type Training,
} from "#engine"
import { elementCount, type Tensor } from "#protocol"
import { ADDER, type AdderSize, adderModel, LOGITS, PARAMETERS } from "../examples/adder/network.ts"
import { ANSWER, drawAdditions, encodeAdditions, LENGTH, VOCABULARY } from "../examples/adder/sums.ts"
import { type Figure, median, timed } from "./figure.ts"

/**
 * What a training step costs: forward, backward, clipping and AdamW of one decoder, in segments of ten as programs of
 * the exact class on one thread, beside the same step in TensorFlow.js on its WebAssembly backend, turn by turn, and on
 * its plain one, afterwards. Both start from the same weights and see the same samples; that they go the same way is
 * checked first.
 */
export async function step(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { size, batch } of SIZES) figures.push(...(await compare(size, batch)))
  return figures
}

const SIZES = [
  { size: ADDER, batch: 64 },
  { size: { width: 128, heads: 4, hidden: 512 }, batch: 128 },
]
const ROUNDS = { warmUp: 3, counted: 15 }
/** A step of the plain backend takes as long as many others. */
const PLAIN_ROUNDS = 3
const GOAL = 10
const RATE = 1e-3
const DECAY = 0.01
const CLIP = 1
const SAMPLES = 4_096
/** The losses of the first steps may differ by so much of them. */
const AGREEMENT = 1e-3
/** As training runs: the state goes in and out once a segment. */
const STEPS_A_RUN = 10

async function compare(size: AdderSize, batch: number): Promise<Figure[]> {
  const { tokens, answers } = encodeAdditions(drawAdditions(0, SAMPLES))
  const training: Training = {
    model: adderModel(batch, 1, size),
    loss: { kind: "crossEntropy", logits: LOGITS, targets: "answers" },
    data: { tokens, answers },
    batch,
    optimizer: { kind: "adamw", weightDecay: DECAY, epsilon: 1e-7 },
    parameters: PARAMETERS,
    clipNorm: CLIP,
  }
  const segment = buildSegment(training, STEPS_A_RUN)
  const hash = `0x${createHash("sha256").update(segment.bytes).digest("hex")}` as const
  const rates: Tensor = {
    dtype: "float32",
    dims: [STEPS_A_RUN],
    data: new Uint8Array(new Float32Array(STEPS_A_RUN).fill(RATE).buffer),
  }
  const start = initialState(segment, training.model)
  const runner = createRunner()
  try {
    await runner.load(segment.bytes, hash)
    let state = start
    const ours = async (): Promise<Float32Array> => {
      const results = await runner.run(hash, [...state, rates])
      state = results.slice(0, -1)
      return floatsOf(results.at(-1)!)
    }
    const times = { ours: [] as number[], wasm: [] as number[], plain: [] as number[] }
    await tf.setBackend("wasm")
    const wasm = reference(segment, start[0]!, { tokens, answers }, size, batch)
    for (const [i, mine] of (await ours()).entries()) {
      const theirs = wasm()
      if (!(Math.abs(mine - theirs) <= AGREEMENT * Math.abs(theirs)))
        throw new Error(
          `step ${i} has the loss ${mine} here and ${theirs} in TensorFlow.js: they compute different things`,
        )
    }
    for (let round = 0; round < ROUNDS.warmUp + ROUNDS.counted; round++) {
      const pair = [(await timed(ours)) / STEPS_A_RUN, await timed(async () => wasm())] as const
      if (round < ROUNDS.warmUp) continue
      times.ours.push(pair[0])
      times.wasm.push(pair[1])
    }
    await tf.setBackend("cpu")
    const plain = reference(segment, start[0]!, { tokens, answers }, size, batch)
    for (let round = 0; round < PLAIN_ROUNDS; round++) times.plain.push(await timed(async () => plain()))
    const ms = median(times.ours)
    const figure = (than: string, theirs: number): Figure => ({
      name: `step, decoder of width ${size.width}, ${batch} x ${LENGTH} tokens`,
      value: ms,
      unit: "ms a step",
      against: `TensorFlow.js ${than}, ${theirs.toFixed(1)} ms; goal ${GOAL} times its speed`,
      ratio: theirs / ms,
    })
    return [figure("on WebAssembly", median(times.wasm)), figure("in plain JavaScript", median(times.plain))]
  } finally {
    await runner.close()
  }
}

type Columns = { readonly tokens: Tensor; readonly answers: Tensor }

/** One more step of the same training in TensorFlow.js, on the backend that is set; returns its loss. */
function reference(segment: Segment, p: Tensor, data: Columns, size: AdderSize, batch: number): () => number {
  const variables = segment.parameters.map((parameter) => tf.variable(slice(p, parameter)))
  const adam = tf.train.adam(RATE, 0.9, 0.999, 1e-7)
  const order = createSampleOrder(SAMPLES, 0)
  let cursor = 0n
  return () => {
    const rows = samplesOf(order, { slot: 0n, cursor: cursor++, batch })
    const tokens = pick(data.tokens, rows)
    const answers = pick(data.answers, rows)
    return tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => lossOf(variables, tokens, answers, size, batch), variables)
      const squares = Object.values(grads).map((grad) => tf.sum(tf.square(grad)))
      const length = tf.sqrt(tf.addN(squares))
      const scale = tf.div(CLIP, tf.maximum(length, CLIP))
      for (const variable of variables) variable.assign(tf.mul(variable, 1 - RATE * DECAY))
      adam.applyGradients(Object.entries(grads).map(([name, grad]) => ({ name, tensor: tf.mul(grad, scale) })))
      return value.dataSync()[0]!
    })
  }
}

function lossOf(
  variables: readonly tf.Variable[],
  tokens: readonly number[],
  answers: readonly number[],
  { width, heads }: AdderSize,
  batch: number,
): tf.Scalar {
  const [embedding, positions, normAttention, queries, keys, values, mix, normHidden, up, down, normOut, out] =
    variables as readonly tf.Variable<tf.Rank.R2>[]
  const vocabulary = VOCABULARY.length
  const product = (x: tf.Tensor, w: tf.Tensor2D, length: number) =>
    tf.reshape(tf.matMul(tf.reshape(x, [-1, w.shape[0]]) as tf.Tensor2D, w), [batch, length, w.shape[1]])
  const norm = (x: tf.Tensor, gain: tf.Tensor) =>
    tf.mul(tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gain)
  const split = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [batch, LENGTH, heads, width / heads]), [0, 2, 1, 3])
  // Looked up by a product, as here: the gradient of gather has no kernel on WebAssembly.
  const oneHot = tf.cast(tf.oneHot(tf.tensor1d([...tokens], "int32"), vocabulary), "float32") as tf.Tensor2D
  const embedded = tf.add(tf.reshape(tf.matMul(oneHot, embedding!), [batch, LENGTH, width]), positions!)
  const first = norm(embedded, normAttention!)
  const scores = tf.mul(
    tf.matMul(split(product(first, queries!, LENGTH)), split(product(first, keys!, LENGTH)), false, true),
    1 / Math.sqrt(width / heads),
  )
  const later = tf.tensor2d(
    Array.from({ length: LENGTH ** 2 }, (_, e) => (e % LENGTH > Math.floor(e / LENGTH) ? -1e9 : 0)),
    [LENGTH, LENGTH],
  )
  const read = tf.matMul(tf.softmax(tf.add(scores, later)), split(product(first, values!, LENGTH)))
  const mixed = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [batch, LENGTH, width])
  const attended = tf.add(embedded, product(mixed, mix!, LENGTH)) as tf.Tensor3D
  const answering = tf.slice(attended, [0, LENGTH - ANSWER, 0], [batch, ANSWER, width])
  const wide = product(norm(answering, normHidden!), up!, ANSWER)
  const gelu = tf.mul(tf.mul(wide, tf.add(tf.erf(tf.mul(wide, Math.SQRT1_2)), 1)), 0.5)
  const result = tf.add(answering, product(gelu, down!, ANSWER))
  const logits = tf.reshape(product(norm(result, normOut!), out!, ANSWER), [-1, vocabulary])
  const right = tf.cast(tf.oneHot(tf.tensor1d([...answers], "int32"), vocabulary), "float32")
  return tf.neg(tf.mean(tf.sum(tf.mul(right, tf.logSoftmax(logits)), 1))).asScalar()
}

function slice(p: Tensor, { dims, offset }: Parameter): tf.Tensor {
  return tf.tensor(floatsOf(p).slice(offset, offset + elementCount(dims)), [...dims], "float32")
}

function floatsOf({ data }: Tensor): Float32Array {
  return new Float32Array(new Uint8Array(data).buffer)
}

/** Rows of a column of bytes, one after another. */
function pick({ data, dims }: Tensor, rows: readonly number[]): number[] {
  const width = dims[1]!
  return rows.flatMap((row) => [...data.subarray(row * width, (row + 1) * width)])
}
