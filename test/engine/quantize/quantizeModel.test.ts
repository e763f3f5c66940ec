import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import {
  canonicalNaN,
  compileProgram,
  createRunner,
  encodeElements,
  type QuantizeResult,
  quantizeModel,
  readModel,
  traceProgram,
} from "#engine"
import type { Tensor } from "#protocol"
import { cnn, decoder, encoder, floatTensor, network, noise, quantizedMlp } from "../support/networks.ts"

const runner = createRunner()
after(() => runner.close())

const samplesOf = (inputs: (seed: number) => Tensor[], count: number) =>
  Array.from({ length: count }, (_, i) => inputs(i + 1))

const operators = (bytes: Uint8Array) => readModel(bytes).graph.nodes.map(({ op }) => op)

async function run(bytes: Uint8Array, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
  await runner.load(bytes, sha256)
  return await runner.run(sha256, inputs)
}

/** The integer program is a program, and gives the same bits whether its inner tensors are looked at or not. */
async function assertExact({ bytes }: QuantizeResult, inputs: readonly Tensor[]): Promise<void> {
  const compiled = compileProgram(bytes)
  const fast = (await run(bytes, inputs)).map(canonicalNaN)
  const trace = await traceProgram({ runner }, bytes, inputs, compiled)
  const { outputs, digests } = compiled.program
  for (const [i, wire] of [...outputs, ...digests].entries()) assert.deepEqual(trace[wire], fast[i], `output ${i}`)
}

/** Two hidden layers that learn y = sin(2a) b - c by gradient descent, so that its weights are not just noise. */
function trainedMlp() {
  const next = noise(3)
  const sizes = [3, 32, 32, 1]
  const weights = sizes
    .slice(1)
    .map((to, i) => Float64Array.from({ length: sizes[i]! * to }, () => next() / Math.sqrt(sizes[i]!)))
  const biases = sizes.slice(1).map((to) => new Float64Array(to))
  const target = ([a, b, c]: readonly number[]) => Math.sin(2 * a!) * b! - c!
  for (let step = 0; step < 6000; step++) {
    const x = [next(), next(), next()]
    const layers: Float64Array[] = [Float64Array.from(x)]
    weights.forEach((w, l) => {
      const [from, to] = [sizes[l]!, sizes[l + 1]!]
      const sums = Float64Array.from(biases[l]!)
      for (let i = 0; i < from; i++) for (let j = 0; j < to; j++) sums[j]! += layers[l]![i]! * w[i * to + j]!
      layers.push(l < 2 ? sums.map((sum) => Math.max(0, sum)) : sums)
    })
    let gradient = Float64Array.of(layers[3]![0]! - target(x))
    for (let l = 2; l >= 0; l--) {
      const [from, to] = [sizes[l]!, sizes[l + 1]!]
      const before = new Float64Array(from)
      for (let i = 0; i < from; i++)
        for (let j = 0; j < to; j++) {
          before[i]! += gradient[j]! * weights[l]![i * to + j]!
          weights[l]![i * to + j]! -= 0.03 * gradient[j]! * layers[l]![i]!
        }
      for (let j = 0; j < to; j++) biases[l]![j]! -= 0.03 * gradient[j]!
      gradient = before.map((value, i) => (layers[l]![i]! > 0 || l === 0 ? value : 0))
    }
  }
  const n = network("mlp", 5)
  const tensor = (dims: readonly number[], values: Float64Array) =>
    n.constant({ dtype: "float32", dims, data: encodeElements("float32", Array.from(values, Math.fround)) })
  let x = "x"
  weights.forEach((w, l) => {
    x = n.node("Gemm", [x, tensor([sizes[l]!, sizes[l + 1]!], w), tensor([sizes[l + 1]!], biases[l]!)])
    if (l < 2) x = n.node("Relu", [x])
  })
  const model = n.build(
    [{ name: "x", dtype: "float32", dims: [16, 3] }],
    [{ name: "y", dtype: "float32", dims: [16, 1] }],
    [x],
  )
  return { model, inputs: (seed: number) => [floatTensor([16, 3], noise(seed * 7919))], target }
}

test("behavior: a trained MLP in bytes still computes what it learned", async () => {
  const { model, inputs, target } = trainedMlp()
  const result = await quantizeModel({ runner }, { model, samples: samplesOf(inputs, 20) })
  const [y] = result.outputs
  assert.ok(y!.cosine > 0.998, `cosine ${y!.cosine}`)
  assert.ok(y!.meanError < 0.03, `mean error ${y!.meanError}`)
  // Of three layers the first has 3 terms and the last one column: too small to be worth it.
  assert.equal(result.layers.quantized.length, 1)
  const [x] = inputs(100) as [Tensor]
  const values = new Float32Array(new Uint8Array(x.data).buffer)
  const [out] = await run(result.bytes, [x])
  const got = new Float32Array(new Uint8Array(out!.data).buffer)
  const errors = Array.from(got, (value, i) => Math.abs(value - target(Array.from(values.slice(3 * i, 3 * i + 3)))))
  assert.ok(errors.reduce((sum, error) => sum + error, 0) / 16 < 0.2, `learned: ${errors}`)
  await assertExact(result, [x])
})

test("behavior: a CNN runs in bytes, layer to layer, within a hundredth of the original", async () => {
  const net = cnn()
  const result = await quantizeModel({ runner }, { model: net.model, samples: samplesOf(net.inputs, 10) })
  const [scores] = result.outputs
  assert.ok(scores!.relativeError < 0.01, `relative error ${scores!.relativeError}`)
  assert.equal(scores!.argmaxAgreement, 1)
  assert.ok(result.layers.quantized.some(({ op }) => op === "Conv"))
  assert.ok(operators(result.bytes).includes("MatMulInteger"))
  await assertExact(result, net.inputs(99))
})

test("behavior: convolutions of any stride, padding, dilation and number of images are the same sums", async () => {
  const n = network("convs", 23)
  const conv = (x: string, from: number, to: number, attributes: Record<string, number[] | number>) =>
    n.node("Conv", [x, n.weights([to, from, 3, 3], 1 / Math.sqrt(9 * from)), n.weights([to], 0.5)], {
      kernel_shape: [3, 3],
      ...attributes,
    })
  const relu = (x: string) => n.node("Relu", [x])
  const first = relu(conv("x", 3, 16, { pads: [1, 0, 2, 1], strides: [2, 1] }))
  const pooled = n.node("MaxPool", [first], { kernel_shape: [2, 2], strides: [1, 2] })
  const second = conv(pooled, 16, 16, { pads: [2, 2, 2, 2], dilations: [2, 2] })
  const pointwise = n.node("Conv", [relu(second), n.weights([16, 16, 1, 1], 0.3)], { kernel_shape: [1, 1] })
  // One number a channel that is computed, and constants that are no channel's: what meets rows of an image or does not.
  const gate = n.node("Sigmoid", [n.node("GlobalAveragePool", [pointwise])])
  const gated = n.node("Mul", [n.node("Mul", [pointwise, gate]), n.weights([5, 4], 1)])
  const sum = n.node("Sub", [n.weights([1, 16, 1, 1], 1), n.node("Add", [second, gated])])
  const model = n.build(
    [{ name: "x", dtype: "float32", dims: [2, 3, 11, 9] }],
    [{ name: "y", dtype: "float32", dims: [2, 16, 5, 4] }],
    [sum],
  )
  const inputs = (seed: number) => [floatTensor([2, 3, 11, 9], noise(seed))]
  const result = await quantizeModel({ runner }, { model, samples: samplesOf(inputs, 8) })
  assert.equal(result.layers.quantized.length, 3)
  assert.ok(result.outputs[0]!.relativeError < 0.03, `relative error ${result.outputs[0]!.relativeError}`)
  assert.ok(result.outputs[0]!.cosine > 0.999)
  await assertExact(result, inputs(77))
})

test("behavior: convolutions in groups and of one dimension work as well", async () => {
  const n = network("groups", 37)
  const grouped = n.node("Conv", ["x", n.weights([32, 8, 3], 0.2), n.weights([32], 0.5)], {
    kernel_shape: [3],
    group: 2,
    pads: [1, 1],
  })
  const relu = n.node("Relu", [grouped])
  const dense = n.node("Conv", [relu, n.weights([16, 32, 5], 0.1), n.weights([16], 0.5)], {
    kernel_shape: [5],
    pads: [2, 2],
  })
  const model = n.build(
    [{ name: "x", dtype: "float32", dims: [3, 16, 10] }],
    [{ name: "y", dtype: "float32", dims: [3, 16, 10] }],
    [n.node("Add", [dense, "x"])],
  )
  const inputs = (seed: number) => [floatTensor([3, 16, 10], noise(seed))]
  const result = await quantizeModel({ runner }, { model, samples: samplesOf(inputs, 8) })
  assert.equal(result.layers.quantized.length, 2)
  assert.ok(operators(result.bytes).includes("ConvInteger"))
  assert.ok(result.outputs[0]!.relativeError < 0.02, `relative error ${result.outputs[0]!.relativeError}`)
  await assertExact(result, inputs(41))
})

test("behavior: whatever enters, no bit is left to chance", async () => {
  const nets = [cnn(), trainedMlp()]
  for (const { model, inputs } of nets) {
    const result = await quantizeModel({ runner }, { model, samples: samplesOf(inputs, 4) })
    const [tensor] = inputs(9) as [Tensor]
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 3e38, -3e38, 1e-45]
    const values = Array.from(new Float32Array(new Uint8Array(tensor.data).buffer), (value, i) =>
      i % 3 === 0 ? odd[(i / 3) % odd.length]! : value,
    )
    await assertExact(result, [{ ...tensor, data: encodeElements("float32", values) }])
  }
})

test("behavior: transformers keep what they say", async () => {
  const text = decoder()
  const logits = await quantizeModel({ runner }, { model: text.model, samples: samplesOf(text.inputs, 8) })
  assert.ok(logits.outputs[0]!.cosine > 0.999, `cosine ${logits.outputs[0]!.cosine}`)
  assert.ok(logits.outputs[0]!.argmaxAgreement! >= 0.9)
  assert.equal(logits.products, 1)
  await assertExact(logits, text.inputs(50))
  const labels = encoder()
  const label = await quantizeModel({ runner }, { model: labels.model, samples: samplesOf(labels.inputs, 8) })
  assert.equal(label.outputs[0]!.cosine, 1)
  assert.equal(label.outputs[0]!.argmaxAgreement, undefined)
})

test("behavior: the same model and samples give the same file", async () => {
  const net = decoder({ layers: 1 })
  const params = { model: net.model, samples: samplesOf(net.inputs, 5) }
  const [first, second] = [await quantizeModel({ runner }, params), await quantizeModel({ runner }, params)]
  assert.deepEqual(first.bytes, second.bytes)
})

test("behavior: a layer that bytes ruin stays in float32 and is named", async () => {
  const n = network("ruined", 29)
  // Two numbers a million apart enter the first product: one scale cannot hold both, and the output shows the small one.
  const wide = n.node("Mul", ["x", n.constant(floatTensor([32], noise(1), 1e6))])
  const spread = n.node("Add", [n.node("Mul", [wide, n.constant(evenOnly(32))]), "x"])
  const weights = floatTensor([32, 32], n.next, 0.2)
  const odd = new Float32Array(new Uint8Array(weights.data).buffer).map((w, i) => (Math.floor(i / 32) % 2 ? w : 0))
  const ruined = n.node("MatMul", [spread, n.constant({ ...weights, data: encodeElements("float32", [...odd]) })])
  const fine = n.node("MatMul", [n.node("Tanh", [ruined]), n.weights([32, 16], 0.2)])
  const model = n.build(
    [{ name: "x", dtype: "float32", dims: [4, 32] }],
    [{ name: "y", dtype: "float32", dims: [4, 16] }],
    [fine],
  )
  const inputs = (seed: number) => [floatTensor([4, 32], noise(seed))]
  const result = await quantizeModel({ runner }, { model, samples: samplesOf(inputs, 8) })
  assert.deepEqual(
    result.layers.kept.map(({ name }) => name),
    ["ruined/MatMul7"],
  )
  assert.ok(result.layers.kept[0]!.relativeError! > 0.5)
  assert.equal(result.layers.quantized.length, 1)
  assert.ok(result.outputs[0]!.cosine > 0.99)
  await assertExact(result, inputs(31))
})

function evenOnly(count: number): Tensor {
  return {
    dtype: "float32",
    dims: [count],
    data: encodeElements(
      "float32",
      Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : 0)),
    ),
  }
}

test("behavior: at least one sample is held back, and calibration does not see it", async () => {
  const net = decoder({ layers: 1 })
  const few = await quantizeModel({ runner }, { model: net.model, samples: samplesOf(net.inputs, 2) })
  assert.deepEqual(few.samples, { calibration: 1, heldBack: 1 })
  const many = await quantizeModel({ runner }, { model: net.model, samples: samplesOf(net.inputs, 10), holdBack: 0.5 })
  assert.deepEqual(many.samples, { calibration: 5, heldBack: 5 })
  assert.deepEqual(many.heldBack.length, 5)
})

const code = (expected: string) => (error: unknown) =>
  (error as { detail?: { code?: string } }).detail?.code === expected

test("error: fewer than two samples", async () => {
  const net = decoder({ layers: 1 })
  for (const count of [0, 1])
    await assert.rejects(
      quantizeModel({ runner }, { model: net.model, samples: samplesOf(net.inputs, count) }),
      code("E_INPUT_MISSING"),
    )
})

test("error: samples of another shape or type than the model's input", async () => {
  const net = cnn()
  const samples = [net.inputs(1), [floatTensor([1, 3, 24, 23], noise(2))]]
  await assert.rejects(quantizeModel({ runner }, { model: net.model, samples }), code("E_INPUT_SHAPE"))
})

test("error: nothing in the model can be quantized", async () => {
  const net = quantizedMlp()
  await assert.rejects(
    quantizeModel({ runner }, { model: net.model, samples: samplesOf(net.inputs, 3) }),
    code("E_MODEL_NOT_QUANTIZABLE"),
  )
})

test("error: no layer reaches the accuracy that is asked for", async () => {
  const net = decoder({ layers: 1 })
  await assert.rejects(
    quantizeModel({ runner }, { model: net.model, samples: samplesOf(net.inputs, 4), accuracy: 0.9999999999 }),
    code("E_MODEL_NOT_QUANTIZABLE"),
  )
})
