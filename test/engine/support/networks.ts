import { type AttributeSpec, encodeElements, type NodeSpec, type ValueSpec, writeModel } from "#engine"
import type { Dtype, Tensor } from "#protocol"

/** Small networks as exporters write them, with weights of the size that training leaves; the same every time. */

export type Network = { readonly model: Uint8Array; readonly inputs: (seed?: number) => Tensor[] }

/** Numbers between -1 and 1 that look random and are the same on every machine. */
export function noise(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

export function floatTensor(dims: readonly number[], next: () => number, scale = 1): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1)
  return {
    dtype: "float32",
    dims,
    data: encodeElements(
      "float32",
      Array.from({ length: count }, () => Math.fround(next() * scale)),
    ),
  }
}

export function integerTensor(
  dtype: Dtype,
  dims: readonly number[],
  next: () => number,
  low: number,
  high: number,
): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1)
  const values = Array.from({ length: count }, () =>
    Math.min(high, low + Math.floor(((next() + 1) / 2) * (high - low + 1))),
  )
  return { dtype, dims, data: encodeElements(dtype, values) }
}

/** Collects nodes and weights under names of its own. */
export function network(name: string, seed = 1) {
  const nodes: NodeSpec[] = []
  const initializers: Record<string, Tensor> = {}
  const next = noise(seed)
  let count = 0
  const constant = (tensor: Tensor): string => {
    const id = `k${count++}`
    initializers[id] = tensor
    return id
  }
  return {
    next,
    constant,
    weights: (dims: readonly number[], scale: number): string => constant(floatTensor(dims, next, scale)),
    scalar: (value: number): string =>
      constant({ dtype: "float32", dims: [], data: encodeElements("float32", [value]) }),
    ints: (values: readonly number[]): string =>
      constant({ dtype: "int64", dims: [values.length], data: encodeElements("int64", values) }),
    node: (
      op: string,
      inputs: readonly string[],
      attributes: Record<string, AttributeSpec> = {},
      outputs = 1,
      { domain = "", leftOut = [] }: { domain?: string; leftOut?: readonly number[] } = {},
    ): string => {
      const names = Array.from({ length: outputs }, (_, i) =>
        leftOut.includes(i) ? "" : outputs === 1 ? `v${count}` : `v${count}_${i}`,
      )
      count++
      nodes.push({ op, domain, name: `${name}/${op}${count}`, inputs, outputs: names, attributes })
      return names.join()
    },
    build: (
      inputs: readonly ValueSpec[],
      outputs: readonly ValueSpec[],
      results: readonly string[],
      opset = 17,
    ): Uint8Array =>
      writeModel({
        name,
        nodes: [
          ...nodes,
          ...results.map((result, i) => ({ op: "Identity", inputs: [result], outputs: [outputs[i]!.name] })),
        ],
        inputs,
        outputs,
        initializers,
        opset,
      }),
  }
}

type Net = ReturnType<typeof network>

function linear(n: Net, x: string, from: number, to: number): string {
  return n.node("Add", [n.node("MatMul", [x, n.weights([from, to], 1 / Math.sqrt(from))]), n.weights([to], 0.1)])
}

function layerNorm(n: Net, x: string, width: number): string {
  const scale = n.constant(floatTensor([width], () => 1 + 0.1 * n.next()))
  return n.node("LayerNormalization", [x, scale, n.weights([width], 0.1)], { axis: -1, epsilon: { f: 1e-5 } })
}

export type TransformerSize = {
  batch: number
  length: number
  width: number
  heads: number
  layers: number
  vocabulary: number
}
const SMALL: TransformerSize = { batch: 1, length: 12, width: 32, heads: 4, layers: 2, vocabulary: 50 }

function attention(
  n: Net,
  x: string,
  { batch, length, width, heads }: TransformerSize,
  mask: string | undefined,
): string {
  const head = width / heads
  const split = (perm: readonly number[]) =>
    n.node("Transpose", [n.node("Reshape", [linear(n, x, width, width), n.ints([batch, length, heads, head])])], {
      perm,
    })
  const scores = n.node("Div", [
    n.node("MatMul", [split([0, 2, 1, 3]), split([0, 2, 3, 1])]),
    n.scalar(Math.sqrt(head)),
  ])
  const weights = n.node("Softmax", [mask ? n.node("Add", [scores, mask]) : scores], { axis: -1 })
  const mixed = n.node("Transpose", [n.node("MatMul", [weights, split([0, 2, 1, 3])])], { perm: [0, 2, 1, 3] })
  return linear(n, n.node("Reshape", [mixed, n.ints([batch, length, width])]), width, width)
}

/** x / 2 * (1 + erf(x / sqrt 2)), as PyTorch exports it. */
function geluNodes(n: Net, x: string): string {
  const erf = n.node("Erf", [n.node("Div", [x, n.scalar(Math.SQRT2)])])
  return n.node("Mul", [n.node("Mul", [x, n.node("Add", [erf, n.scalar(1)])]), n.scalar(0.5)])
}

function tokens(size: TransformerSize, seed: number): Tensor {
  return integerTensor("int64", [size.batch, size.length], noise(seed), 0, size.vocabulary - 1)
}

/** Decoder-only: embedding, causal attention, layer norms, gelu, logits. */
export function decoder(overrides: Partial<TransformerSize> = {}): Network {
  const size = { ...SMALL, ...overrides }
  const { batch, length, width, layers, vocabulary } = size
  const n = network("decoder", 7)
  const mask = n.constant({
    dtype: "float32",
    dims: [1, 1, length, length],
    data: encodeElements(
      "float32",
      Array.from({ length: length * length }, (_, e) =>
        e % length > Math.floor(e / length) ? Number.NEGATIVE_INFINITY : 0,
      ),
    ),
  })
  let x = n.node("Add", [
    n.node("Gather", [n.weights([vocabulary, width], 1), "tokens"]),
    n.weights([1, length, width], 0.5),
  ])
  for (let layer = 0; layer < layers; layer++) {
    x = n.node("Add", [x, attention(n, layerNorm(n, x, width), size, mask)])
    x = n.node("Add", [
      x,
      linear(n, geluNodes(n, linear(n, layerNorm(n, x, width), width, 4 * width)), 4 * width, width),
    ])
  }
  const logits = n.node("MatMul", [layerNorm(n, x, width), n.weights([width, vocabulary], 1 / Math.sqrt(width))])
  const model = n.build(
    [{ name: "tokens", dtype: "int64", dims: [batch, length] }],
    [{ name: "logits", dtype: "float32", dims: [batch, length, vocabulary] }],
    [logits],
  )
  return { model, inputs: (seed = 1) => [tokens(size, seed)] }
}

/** Bidirectional, with an attention mask as an input and a label as the output. */
export function encoder(overrides: Partial<TransformerSize> = {}): Network {
  const size = { ...SMALL, ...overrides }
  const { batch, length, width, layers, vocabulary } = size
  const n = network("encoder", 11)
  const seen = n.node("Cast", [n.node("Reshape", ["mask", n.ints([batch, 1, 1, length])])], { to: 1 })
  const mask = n.node("Mul", [n.node("Sub", [n.scalar(1), seen]), n.scalar(-3.4028234663852886e38)])
  let x = layerNorm(
    n,
    n.node("Add", [
      n.node("Gather", [n.weights([vocabulary, width], 1), "tokens"]),
      n.weights([1, length, width], 0.5),
    ]),
    width,
  )
  for (let layer = 0; layer < layers; layer++) {
    x = layerNorm(n, n.node("Add", [x, attention(n, x, size, mask)]), width)
    x = layerNorm(
      n,
      n.node("Add", [x, linear(n, n.node("Relu", [linear(n, x, width, 2 * width)]), 2 * width, width)]),
      width,
    )
  }
  const first = n.node("Gather", [x, n.constant({ dtype: "int64", dims: [], data: encodeElements("int64", [0]) })], {
    axis: 1,
  })
  const label = n.node("ArgMax", [linear(n, n.node("Tanh", [linear(n, first, width, width)]), width, 5)], {
    axis: -1,
    keepdims: 0,
  })
  const model = n.build(
    [
      { name: "tokens", dtype: "int64", dims: [batch, length] },
      { name: "mask", dtype: "int64", dims: [batch, length] },
    ],
    [{ name: "label", dtype: "int64", dims: [batch] }],
    [label],
  )
  const maskOf = (seed: number) => integerTensor("int64", [batch, length], noise(seed + 1), 0, 1)
  return { model, inputs: (seed = 1) => [tokens(size, seed), maskOf(seed)] }
}

/** Convolutions with batch norm, depthwise, pooling, and a classifier. */
export function cnn(): Network {
  const n = network("cnn", 13)
  const conv = (
    x: string,
    from: number,
    to: number,
    size: number,
    attributes: Record<string, AttributeSpec>,
    group = 1,
  ) =>
    n.node(
      "Conv",
      [x, n.weights([to, from / group, size, size], 1 / Math.sqrt((from / group) * size * size)), n.weights([to], 0.1)],
      {
        kernel_shape: [size, size],
        group,
        ...attributes,
      },
    )
  const norm = (x: string, channels: number) => {
    const near = (value: number) => n.constant(floatTensor([channels], () => value + 0.2 * n.next()))
    return n.node("BatchNormalization", [x, near(1), near(0), near(0), near(1)], { epsilon: { f: 1e-5 } })
  }
  const relu = (x: string) => n.node("Relu", [x])
  let x = relu(norm(conv("image", 3, 8, 3, { pads: [1, 1, 1, 1] }), 8))
  x = n.node("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] })
  x = n.node("Clip", [norm(conv(x, 8, 8, 3, { pads: [1, 1, 1, 1], strides: [2, 2] }, 8), 8), n.scalar(0), n.scalar(6)])
  const wide = conv(x, 8, 16, 1, {})
  x = n.node("Add", [wide, relu(norm(conv(wide, 16, 16, 3, { pads: [2, 2, 2, 2], dilations: [2, 2] }), 16))])
  x = n.node("AveragePool", [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
  x = n.node("Flatten", [n.node("GlobalAveragePool", [x])])
  const logits = n.node("Gemm", [x, n.weights([10, 16], 0.25), n.weights([10], 0.1)], { transB: 1 })
  const model = n.build(
    [{ name: "image", dtype: "float32", dims: [1, 3, 24, 24] }],
    [{ name: "scores", dtype: "float32", dims: [1, 10] }],
    [n.node("Softmax", [logits])],
  )
  return { model, inputs: (seed = 1) => [floatTensor([1, 3, 24, 24], noise(seed))] }
}

/** Embedding, a bidirectional LSTM, a GRU, and the next token's scores. */
export function lstm(): Network {
  const n = network("lstm", 17)
  const [steps, width, hidden] = [6, 10, 12]
  const weights = (directions: number, gates: number, from: number) => [
    n.weights([directions, gates * hidden, from], 0.3),
    n.weights([directions, gates * hidden, hidden], 0.3),
    n.weights([directions, 2 * gates * hidden], 0.1),
  ]
  const embedded = n.node("Gather", [n.weights([20, width], 1), "tokens"])
  const x = n.node("Transpose", [embedded], { perm: [1, 0, 2] })
  const [y] = n
    .node("LSTM", [x, ...weights(2, 4, width)], { direction: { s: "bidirectional" }, hidden_size: hidden }, 3)
    .split(",")
  const joined = n.node("Reshape", [n.node("Transpose", [y!], { perm: [0, 2, 1, 3] }), n.ints([steps, 1, 2 * hidden])])
  const [, last] = n
    .node("GRU", [joined, ...weights(1, 3, 2 * hidden)], { linear_before_reset: 1, hidden_size: hidden }, 2)
    .split(",")
  const scores = n.node("MatMul", [n.node("Reshape", [last!, n.ints([1, hidden])]), n.weights([hidden, 20], 0.3)])
  const model = n.build(
    [{ name: "tokens", dtype: "int64", dims: [1, steps] }],
    [{ name: "scores", dtype: "float32", dims: [1, 20] }],
    [scores],
  )
  return { model, inputs: (seed = 1) => [integerTensor("int64", [1, steps], noise(seed), 0, 19)] }
}

/** Two layers in bytes, as quantizers write them: one by operators of their own, one by integer products. */
export function quantizedMlp(): Network {
  const n = network("quantized", 19)
  const byte = (dims: readonly number[], dtype: "uint8" | "int8" = "uint8") =>
    n.constant(integerTensor(dtype, dims, n.next, dtype === "uint8" ? 0 : -127, dtype === "uint8" ? 255 : 127))
  const point = (value: number, dtype: Dtype = "uint8") =>
    n.constant({ dtype, dims: [], data: encodeElements(dtype, [value]) })
  const x = n.node("QuantizeLinear", ["x", n.scalar(0.01), point(128)])
  const first = n.node("QLinearMatMul", [
    x,
    n.scalar(0.01),
    point(128),
    byte([16, 24]),
    n.scalar(0.004),
    point(120),
    n.scalar(0.03),
    point(110),
  ])
  const sums = n.node("MatMulInteger", [first, byte([24, 8], "int8"), point(110), point(3, "int8")])
  const hidden = n.node("Mul", [
    n.node("Cast", [sums], { to: 1 }),
    n.constant(floatTensor([8], () => 2e-4 * (1.5 + n.next()))),
  ])
  const again = n.node("DequantizeLinear", [
    n.node("QuantizeLinear", [hidden, n.scalar(0.02), point(0, "int8")]),
    n.scalar(0.02),
    point(0, "int8"),
  ])
  const [dynamic, scale, zero] = n.node("DynamicQuantizeLinear", [n.node("Relu", [again])], {}, 3).split(",")
  const last = n.node("Mul", [
    n.node("Cast", [n.node("MatMulInteger", [dynamic!, byte([8, 5]), zero!, point(128)])], { to: 1 }),
    scale!,
  ])
  const model = n.build(
    [{ name: "x", dtype: "float32", dims: [3, 16] }],
    [{ name: "y", dtype: "float32", dims: [3, 5] }],
    [last],
  )
  return { model, inputs: (seed = 1) => [floatTensor([3, 16], noise(seed))] }
}

/** A decoder as onnxruntime's optimizer leaves it: weights of 4 bits, grouped queries, norms that also add. */
export function fusedDecoder(): Network {
  const n = network("fused", 23)
  const [length, width, heads, shared, depth, hidden, vocabulary, block] = [5, 32, 2, 1, 16, 48, 20, 16]
  const fused = (
    op: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeSpec> = {},
    outputs = 1,
    leftOut: readonly number[] = [],
  ) => n.node(op, inputs, attributes, outputs, { domain: "com.microsoft", leftOut })
  const int32 = (values: readonly number[], dims = [values.length]) =>
    n.constant({ dtype: "int32", dims, data: encodeElements("int32", values) })
  const product = (x: string, from: number, to: number) => {
    const blocks = from / block
    const packed = n.constant(integerTensor("uint8", [to, blocks, block / 2], n.next, 0, 255))
    const scales = n.constant(floatTensor([to * blocks], () => (0.1 * (1.5 + n.next())) / Math.sqrt(from)))
    const zeros = n.constant(integerTensor("uint8", [to * Math.ceil(blocks / 2)], n.next, 0, 255))
    return fused("MatMulNBits", [x, packed, scales, zeros], { K: from, N: to, bits: 4, block_size: block })
  }
  const gain = () => n.constant(floatTensor([width], () => 1 + 0.1 * n.next()))
  const angles = (f: (x: number) => number) =>
    n.constant(
      floatTensor(
        [8, depth / 2],
        (
          (e) => () =>
            f(Math.floor(e / 8) / 10 ** ((e++ % 8) / 4))
        )(0),
      ),
    )
  const [cos, sin] = [angles(Math.cos), angles(Math.sin)]
  const added = (x: string, more: string) =>
    fused("SkipSimplifiedLayerNormalization", [x, more, gain()], { epsilon: { f: 1e-6 } }, 4, [1, 2]).split(",")
  let x = n.node("Gather", [n.weights([vocabulary, width], 1), "tokens"])
  let normal = n.node("SimplifiedLayerNormalization", [x, gain()], { axis: -1, epsilon: { f: 1e-6 } })
  for (let layer = 0; layer < 2; layer++) {
    const qkv = product(normal, width, (heads + 2 * shared) * depth)
    const [mixed] = fused(
      "GroupQueryAttention",
      [qkv, "", "", "", "", int32([length - 1]), int32([length], []), cos, sin],
      { num_heads: heads, kv_num_heads: shared, do_rotary: 1 },
      3,
    ).split(",")
    const [first, , , sum] = added(x, product(mixed!, heads * depth, width))
    const gate = fused("QuickGelu", [product(first!, width, hidden)], { alpha: { f: 1 } })
    const wide = n.node("Mul", [gate, product(first!, width, hidden)])
    const [second, , , next] = added(sum!, product(wide, hidden, width))
    x = next!
    normal = second!
  }
  const model = n.build(
    [{ name: "tokens", dtype: "int64", dims: [1, length] }],
    [{ name: "scores", dtype: "float32", dims: [1, length, vocabulary] }],
    [product(normal, width, vocabulary)],
  )
  return { model, inputs: (seed = 1) => [integerTensor("int64", [1, length], noise(seed), 0, vocabulary - 1)] }
}
