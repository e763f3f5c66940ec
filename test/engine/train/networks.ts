import * as tf from "@tensorflow/tfjs"
import { createInitializer, type Training } from "#engine"
import type { Tensor } from "#protocol"
import { createGraph, type Graph } from "./graph.ts"
import { floatsOf, floatTensor, intTensor, spread } from "./support.ts"

/** A network with its loss, as ONNX for the engine and as the same formulas in TensorFlow.js. */
export type Network = {
  readonly training: Omit<Training, "optimizer">
  /** The loss of a batch of samples, by parameters in layout order. */
  readonly loss: (parameters: readonly tf.Tensor[], samples: readonly number[]) => tf.Scalar
}

const SAMPLES = 12
const BATCH = 4

function weights(g: Graph, seed: number) {
  const draw = createInitializer(seed)
  return {
    normal: (name: string, dims: readonly number[], deviation: number) =>
      g.parameter(name, draw.normal(dims, deviation)),
    near: (name: string, dims: readonly number[], value: number) => {
      const noise = floatsOf(draw.normal(dims, 0.1))
      return g.parameter(
        name,
        floatTensor(
          dims,
          noise.map((x) => x + value),
        ),
      )
    },
  }
}

function rowsOf(column: Tensor, samples: readonly number[]): tf.Tensor {
  const values = column.dtype === "float32" ? floatsOf(column) : new BigInt64Array(new Uint8Array(column.data).buffer)
  const whole = tf.tensor(Array.from(values as Float32Array, Number), column.dims as number[], "float32")
  return tf.gather(whole, tf.tensor1d([...samples], "int32"))
}

/** Softmax cross-entropy of rows, averaged where the mask is not 0. */
function crossEntropy(logits: tf.Tensor, targets: tf.Tensor, mask?: tf.Tensor): tf.Scalar {
  const classes = logits.shape.at(-1)!
  const oneHot = tf.oneHot(tf.cast(tf.reshape(targets, [-1]), "int32"), classes)
  const rows = tf.reshape(logits, [-1, classes])
  const surprise = tf.neg(tf.sum(tf.mul(oneHot, tf.logSoftmax(rows)), 1))
  if (!mask) return tf.mean(surprise)
  const flat = tf.reshape(mask, [-1])
  return tf.div(tf.sum(tf.mul(surprise, flat)), tf.sum(flat))
}

/** Two layers with tanh and relu. */
export function mlp(): Network {
  const g = createGraph()
  const { normal } = weights(g, 1)
  const layer = (x: string, name: string, from: number, to: number) =>
    g.node("Gemm", [x, normal(`${name}.w`, [from, to], 1 / Math.sqrt(from)), normal(`${name}.b`, [to], 0.1)])
  const h = g.node("Tanh", [layer("x", "first", 6, 16)])
  const logits = layer(g.node("Relu", [layer(h, "second", 16, 12)]), "third", 12, 5)
  const data = {
    x: spread([SAMPLES, 6], 3),
    y: intTensor(
      [SAMPLES],
      Array.from({ length: SAMPLES }, (_, i) => i % 5),
    ),
  }
  return {
    training: {
      model: g.build(
        [{ name: "x", dtype: "float32", dims: [BATCH, 6] }],
        [{ name: logits, dtype: "float32", dims: [BATCH, 5] }],
      ),
      loss: { kind: "crossEntropy", logits, targets: "y" },
      data,
      batch: BATCH,
      parameters: Object.keys(g.initializers),
    },
    loss: (parameters, samples) => {
      const [w1, b1, w2, b2, w3, b3] = parameters as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
      const h = tf.tanh(tf.add(tf.matMul(rowsOf(data.x, samples), w1), b1))
      const h2 = tf.relu(tf.add(tf.matMul(h, w2), b2))
      return crossEntropy(tf.add(tf.matMul(h2, w3), b3), rowsOf(data.y, samples))
    },
  }
}

/** Convolution, relu, max pooling, convolution with strides, average pooling, a classifier. */
export function cnn(): Network {
  const g = createGraph()
  const { normal } = weights(g, 2)
  const c1 = g.node("Conv", ["image", normal("c1.w", [4, 2, 3, 3], 0.3), normal("c1.b", [4], 0.1)], {
    kernel_shape: [3, 3],
    pads: [1, 1, 1, 1],
  })
  const pooled = g.node("MaxPool", [g.node("Relu", [c1])], { kernel_shape: [2, 2], strides: [2, 2] })
  const c2 = g.node("Conv", [pooled, normal("c2.w", [6, 4, 3, 3], 0.2)], {
    kernel_shape: [3, 3],
    strides: [1, 1],
    pads: [1, 1, 1, 1],
  })
  const averaged = g.node("AveragePool", [g.node("Sigmoid", [c2])], { kernel_shape: [2, 2], strides: [2, 2] })
  const features = g.node("Flatten", [averaged], { axis: 1 })
  const logits = g.node("Gemm", [features, normal("out.w", [24, 3], 0.3), normal("out.b", [3], 0.1)])
  const data = {
    image: spread([SAMPLES, 2, 8, 8], 5),
    y: intTensor(
      [SAMPLES],
      Array.from({ length: SAMPLES }, (_, i) => i % 3),
    ),
  }
  return {
    training: {
      model: g.build(
        [{ name: "image", dtype: "float32", dims: [BATCH, 2, 8, 8] }],
        [{ name: logits, dtype: "float32", dims: [BATCH, 3] }],
      ),
      loss: { kind: "crossEntropy", logits, targets: "y" },
      data,
      batch: BATCH,
      parameters: Object.keys(g.initializers),
    },
    loss: (parameters, samples) => {
      const [w1, b1, w2, w3, b3] = parameters as [tf.Tensor4D, tf.Tensor, tf.Tensor4D, tf.Tensor, tf.Tensor]
      // TensorFlow.js differentiates convolutions of (N, H, W, C) alone; filters are (h, w, in, out).
      const image = tf.transpose(rowsOf(data.image, samples) as tf.Tensor4D, [0, 2, 3, 1])
      const filters = (w: tf.Tensor4D) => tf.transpose(w, [2, 3, 1, 0])
      const c1 = tf.add(tf.conv2d(image, filters(w1), 1, "same"), b1) as tf.Tensor4D
      const c2 = tf.conv2d(tf.maxPool(tf.relu(c1), 2, 2, "valid"), filters(w2), 1, "same")
      const pooled = tf.avgPool(tf.sigmoid(c2), 2, 2, "valid")
      const features = tf.reshape(tf.transpose(pooled, [0, 3, 1, 2]), [BATCH, 24])
      return crossEntropy(tf.add(tf.matMul(features, w3), b3), rowsOf(data.y, samples))
    },
  }
}

const [LENGTH, WIDTH, HEADS, VOCABULARY] = [5, 8, 2, 7]

/** Decoder-only: embedding, learned positions, layer norm, causal attention, RMS norm, gelu, a mask on the loss. */
export function transformer(): Network {
  const g = createGraph()
  const { normal, near } = weights(g, 3)
  const ints = (values: readonly number[]) => g.constant(intTensor([values.length], values))
  const number = (value: number) => g.constant(floatTensor([], [value]))
  const head = WIDTH / HEADS
  const linear = (x: string, name: string, from: number, to: number) =>
    g.node("Add", [
      g.node("MatMul", [x, normal(`${name}.w`, [from, to], 1 / Math.sqrt(from))]),
      normal(`${name}.b`, [to], 0.1),
    ])
  const embedded = g.node("Gather", [normal("tokens", [VOCABULARY, WIDTH], 1), "x"], { axis: 0 })
  let h = g.node("Add", [embedded, normal("positions", [LENGTH, WIDTH], 0.5)])
  const first = g.node("LayerNormalization", [h, near("norm1.g", [WIDTH], 1), near("norm1.b", [WIDTH], 0)], {
    axis: -1,
    epsilon: { f: 1e-5 },
  })
  const parts = g
    .split(linear(first, "qkv", WIDTH, 3 * WIDTH), 3, 2)
    .map((part) =>
      g.node("Transpose", [g.node("Reshape", [part, ints([BATCH, LENGTH, HEADS, head])])], { perm: [0, 2, 1, 3] }),
    ) as [string, string, string]
  const keys = g.node("Transpose", [parts[1]], { perm: [0, 1, 3, 2] })
  const scores = g.node("Mul", [g.node("MatMul", [parts[0], keys]), number(1 / Math.sqrt(head))])
  const causal = g.constant(
    floatTensor(
      [LENGTH, LENGTH],
      Array.from({ length: LENGTH ** 2 }, (_, e) =>
        e % LENGTH > Math.floor(e / LENGTH) ? Number.NEGATIVE_INFINITY : 0,
      ),
    ),
  )
  const shares = g.node("Softmax", [g.node("Add", [scores, causal])], { axis: -1 })
  const mixed = g.node("Transpose", [g.node("MatMul", [shares, parts[2]])], { perm: [0, 2, 1, 3] })
  h = g.node("Add", [h, linear(g.node("Reshape", [mixed, ints([BATCH, LENGTH, WIDTH])]), "mix", WIDTH, WIDTH)])
  const square = g.node("ReduceMean", [g.node("Mul", [h, h])], { axes: [-1], keepdims: 1 })
  const rms = g.node("Div", [h, g.node("Sqrt", [g.node("Add", [square, number(1e-5)])])])
  const wide = linear(g.node("Mul", [rms, near("norm2.g", [WIDTH], 1)]), "up", WIDTH, 16)
  const erf = g.node("Erf", [g.node("Mul", [wide, number(Math.SQRT1_2)])])
  const gelu = g.node("Mul", [g.node("Mul", [wide, g.node("Add", [erf, number(1)])]), number(0.5)])
  const logits = linear(g.node("Add", [h, linear(gelu, "down", 16, WIDTH)]), "out", WIDTH, VOCABULARY)
  const tokens = (shift: number) =>
    intTensor(
      [SAMPLES, LENGTH],
      Array.from({ length: SAMPLES * LENGTH }, (_, i) => (i * i + 3 * i + shift) % VOCABULARY),
    )
  const data = {
    x: tokens(0),
    y: tokens(1),
    mask: intTensor(
      [SAMPLES, LENGTH],
      Array.from({ length: SAMPLES * LENGTH }, (_, i) => (i % LENGTH > 1 ? 1 : 0)),
    ),
  }
  return {
    training: {
      model: g.build(
        [{ name: "x", dtype: "int64", dims: [BATCH, LENGTH] }],
        [{ name: logits, dtype: "float32", dims: [BATCH, LENGTH, VOCABULARY] }],
      ),
      loss: { kind: "crossEntropy", logits, targets: "y", mask: "mask" },
      data,
      batch: BATCH,
      parameters: Object.keys(g.initializers).filter((name) => !/^c\d+$/.test(name)),
    },
    loss: (parameters, samples) => {
      const [tokens, positions, g1, b1, qkvW, qkvB, mixW, mixB, g2, upW, upB, downW, downB, outW, outB] =
        parameters as readonly tf.Tensor2D[]
      const apply = (x: tf.Tensor, w: tf.Tensor2D, b: tf.Tensor) => {
        const [from, to] = w.shape
        return tf.reshape(tf.add(tf.matMul(tf.reshape(x, [-1, from]) as tf.Tensor2D, w), b), [BATCH, LENGTH, to])
      }
      const rows = tf.cast(rowsOf(data.x, samples), "int32")
      const h0 = tf.add(tf.gather(tokens!, rows), positions!)
      const { mean, variance } = tf.moments(h0, -1, true)
      const normal = tf.add(tf.mul(tf.div(tf.sub(h0, mean), tf.sqrt(tf.add(variance, 1e-5))), g1!), b1!)
      const [q, k, v] = tf
        .split(apply(normal, qkvW!, qkvB!), 3, 2)
        .map((part) => tf.transpose(tf.reshape(part, [BATCH, LENGTH, HEADS, head]), [0, 2, 1, 3])) as tf.Tensor[]
      const mask = tf.sub(tf.linalg.bandPart(tf.ones([LENGTH, LENGTH]), -1, 0), 1)
      const scores = tf.add(tf.mul(tf.matMul(q!, k!, false, true), 1 / Math.sqrt(head)), tf.mul(mask, 1e9))
      const mixed = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v!), [0, 2, 1, 3]), [BATCH, LENGTH, WIDTH])
      const h1 = tf.add(h0, apply(mixed, mixW!, mixB!))
      const rms = tf.div(h1, tf.sqrt(tf.add(tf.mean(tf.square(h1), -1, true), 1e-5)))
      const wide = apply(tf.mul(rms, g2!), upW!, upB!)
      const gelu = tf.mul(tf.mul(wide, tf.add(tf.erf(tf.mul(wide, Math.SQRT1_2)), 1)), 0.5)
      const logits = apply(tf.add(h1, apply(gelu, downW!, downB!)), outW!, outB!)
      return crossEntropy(logits, rowsOf(data.y, samples), rowsOf(data.mask, samples))
    },
  }
}
