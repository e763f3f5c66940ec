import assert from "node:assert/strict"
import { test } from "node:test"
import { buildSegment, buildStep, EngineError, type EngineErrorDetail, type Training } from "#engine"
import { createGraph, type Graph } from "./graph.ts"
import { floatTensor, intTensor, spread } from "./support.ts"

function refusal(training: Training, steps = 1): EngineErrorDetail {
  try {
    buildSegment(training, steps)
  } catch (error) {
    if (error instanceof EngineError) return error.detail
    throw error
  }
  return assert.fail("it was taken")
}

/** A model of x [2, 3] with parameters w [3, 3] and u [3], and a training with what `make` puts out as the loss. */
function training(make: (g: Graph) => string, more: Partial<Training> = {}): Training {
  const g = createGraph()
  g.parameter("w", spread([3, 3], 1))
  g.parameter("u", spread([3], 2))
  const name = make(g)
  const model = g.build([{ name: "x", dtype: "float32", dims: [2, 3] }], [{ name, dtype: "float32", dims: [] }])
  return {
    model,
    loss: { kind: "tensor", name },
    data: { x: spread([4, 3], 3) },
    batch: 2,
    optimizer: { kind: "sgd" },
    parameters: ["w"],
    ...more,
  }
}

const product = (g: Graph) => g.node("MatMul", ["x", "w"])
const mean = (g: Graph) => g.node("ReduceMean", [product(g)], { keepdims: 0 })

test("error: a loss that is not one number", () => {
  const { code, message } = refusal(training(product))
  assert.equal(code, "E_TRAIN_LOSS_NOT_SCALAR")
  assert.match(message, /float32 \[2,3\]/)
})

test("error: a parameter that the loss does not depend on, by name", () => {
  const { code, input } = refusal(training(mean, { parameters: ["w", "u"] }))
  assert.deepEqual([code, input], ["E_TRAIN_NO_GRADIENT", "u"])
})

test("error: a parameter behind a step has no gradient", () => {
  const rounded = (g: Graph) => g.node("ReduceMean", [g.node("Round", [product(g)])], { keepdims: 0 })
  assert.equal(refusal(training(rounded)).code, "E_TRAIN_NO_GRADIENT")
})

test("error: a parameter that is quantized, by the node that does it", () => {
  const quantized = (g: Graph) => {
    const scale = g.constant(floatTensor([], [0.1]))
    const zero = g.constant(intTensor([], [0], "uint8"))
    const bytes = g.node("QuantizeLinear", [product(g), scale, zero])
    return g.node("ReduceMean", [g.node("DequantizeLinear", [bytes, scale, zero])], { keepdims: 0 })
  }
  const { code, node, op } = refusal(training(quantized))
  assert.deepEqual([code, node, op], ["E_TRAIN_NO_DERIVATIVE", "QuantizeLinear_1", "QuantizeLinear"])
})

test("error: an operator without an exact meaning, by its node", () => {
  const chance = (g: Graph) => g.node("RandomUniformLike", [mean(g)])
  const { code, node, op } = refusal(training(chance))
  assert.deepEqual([code, node, op], ["E_TRAIN_NOT_EXACT", "RandomUniformLike_2", "RandomUniformLike"])
})

test("error: a batch that the model was not exported for", () => {
  const { code, message } = refusal(training(mean, { batch: 3 }))
  assert.equal(code, "E_TRAIN_SHAPE")
  assert.match(message, /float32 \[2,3\]; a batch of 3 samples makes \[3,3\]/)
})

test("error: columns of different lengths", () => {
  const data = { x: spread([4, 3], 3), y: intTensor([5], [0, 1, 2, 0, 1]) }
  assert.equal(refusal(training(mean, { data })).code, "E_TRAIN_SHAPE")
})

test("error: targets that do not fit the logits", () => {
  const data = { x: spread([4, 3], 3), y: intTensor([4, 2], [0, 1, 2, 0, 1, 2, 0, 1]) }
  const { code, message } = refusal(
    training(product, { data, loss: { kind: "crossEntropy", logits: "t0", targets: "y" } }),
  )
  assert.equal(code, "E_TRAIN_SHAPE")
  assert.match(message, /targets must be \[2\], not \[2,2\]/)
})

test("error: names that nothing bears", () => {
  assert.equal(refusal(training(mean, { data: { z: spread([4, 3], 3) } })).input, "x")
  assert.equal(refusal(training(mean, { loss: { kind: "tensor", name: "lost" } })).code, "E_TRAIN_NAME")
  assert.equal(refusal(training(mean, { parameters: ["v"] })).input, "v")
  assert.equal(refusal(training(mean, { parameters: ["w", "w"] })).code, "E_TRAIN_NAME")
})

test("error: numbers of steps and samples that make no training", () => {
  assert.equal(refusal(training(mean), 0).code, "E_TRAIN_OPTION")
  assert.equal(refusal(training(mean, { batch: 0 })).code, "E_TRAIN_OPTION")
  assert.equal(refusal(training(mean, { data: {} })).code, "E_TRAIN_OPTION")
})

test("behavior: without names everything is learned that is a weight and that the loss depends on", () => {
  const whole = (g: Graph) => {
    g.node("MatMul", ["x", g.parameter("unused", spread([3, 2], 4))])
    const masked = g.node("Add", [
      g.node("Add", [product(g), "u"]),
      g.constant(floatTensor([3], [0, Number.NEGATIVE_INFINITY, 0])),
    ])
    return g.node("ReduceMax", [g.node("Mul", [masked, g.constant(floatTensor([], [2]))])], { keepdims: 0 })
  }
  const { parameters: _, ...rest } = training(whole)
  assert.deepEqual(
    buildStep(rest).parameters.map(({ name, offset }) => [name, offset]),
    [
      ["w", 0],
      ["u", 9],
    ],
  )
})
