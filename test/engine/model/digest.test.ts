import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  createRunner,
  exposeDigest,
  inspectModel,
  type ModelSpec,
  type NodeSpec,
  prepareModel,
  readModelInterface,
} from "#engine"
import { classifier, classifierSpec, ramp, sha256, tensor } from "../support/graphs.ts"

const runner = createRunner()
after(() => runner.close())

const digestOf = async (overrides: Partial<ModelSpec>) =>
  (await prepareModel({ runner }, classifier(overrides))).digestTensors
const label = classifierSpec().outputs[0]!
const [first, relu, second, pick] = classifierSpec().nodes as [NodeSpec, NodeSpec, NodeSpec, NodeSpec]

test("R7: logits before an argmax are the digest", async () => {
  assert.deepEqual(await digestOf({}), ["logits"])
})

test("R7: the digest tensors come after the outputs, and the interface keeps them apart", async () => {
  const { modelBytes, digestTensors } = await exposeDigest({ runner }, classifier())
  assert.deepEqual(digestTensors, ["logits"])
  const { inputs, outputs, digestTensors: read } = readModelInterface(modelBytes)
  assert.deepEqual(
    inputs.map(({ name }) => name),
    ["x"],
  )
  assert.deepEqual(outputs, [{ name: "label", dtype: "int64", dims: [1] }])
  assert.deepEqual(read, [{ name: "logits", dtype: "float32", dims: [1, 3] }])
  const loaded = await runner.load(modelBytes, sha256(modelBytes))
  assert.deepEqual(
    loaded.outputs.map(({ name }) => name),
    ["label", "logits"],
  )
  const [got, logits] = await runner.run(sha256(modelBytes), [ramp([1, 4])])
  const values = new Float32Array(logits!.data.slice().buffer)
  assert.equal(Number(new BigInt64Array(got!.data.slice().buffer)[0]), values.indexOf(Math.max(...values)))
})

test("R7: exposing twice changes nothing", async () => {
  const once = await exposeDigest({ runner }, classifier())
  const twice = await exposeDigest({ runner }, once.modelBytes)
  assert.equal(sha256(twice.modelBytes), sha256(once.modelBytes))
  assert.deepEqual(twice.digestTensors, once.digestTensors)
})

test("R7: full-precision outputs serve as the digest", async () => {
  const model = classifier({
    nodes: [first, relu, second],
    outputs: [{ name: "logits", dtype: "float32", dims: [1, 3] }],
  })
  const { modelBytes, digestTensors } = await exposeDigest({ runner }, model)
  assert.deepEqual(digestTensors, [])
  assert.deepEqual(
    readModelInterface(modelBytes).outputs.map(({ name }) => name),
    ["logits"],
  )
})

test("R7: logits that are an output already need not be exposed", async () => {
  assert.deepEqual(await digestOf({ outputs: [label, { name: "logits", dtype: "float32", dims: [1, 3] }] }), [])
})

test("R7: a softmax stands between; the tensor nearest the argmax is taken", async () => {
  const nodes: NodeSpec[] = [
    first,
    relu,
    second,
    { op: "Softmax", inputs: ["logits"], outputs: ["p"], attributes: { axis: 1 } },
    { ...pick, inputs: ["p"] },
  ]
  assert.deepEqual(await digestOf({ nodes }), ["p"])
})

test("R7: thresholds, rounding, casts and quantization are lossy; a label turned into a float stays a label", async () => {
  const tails: Record<string, { nodes: NodeSpec[]; output: ModelSpec["outputs"][number] }> = {
    threshold: {
      nodes: [{ op: "Greater", inputs: ["logits", "zero"], outputs: ["y"] }],
      output: { name: "y", dtype: "bool", dims: [1, 3] },
    },
    rounding: {
      nodes: [{ op: "Round", inputs: ["logits"], outputs: ["y"] }],
      output: { name: "y", dtype: "float32", dims: [1, 3] },
    },
    cast: {
      nodes: [{ op: "Cast", inputs: ["logits"], outputs: ["y"], attributes: { to: 6 } }],
      output: { name: "y", dtype: "int32", dims: [1, 3] },
    },
    quantization: {
      nodes: [{ op: "QuantizeLinear", inputs: ["logits", "scale", "offset"], outputs: ["y"] }],
      output: { name: "y", dtype: "uint8", dims: [1, 3] },
    },
    "float label": {
      nodes: [
        pick,
        { op: "Cast", inputs: ["label"], outputs: ["f"], attributes: { to: 1 } },
        { op: "Mul", inputs: ["f", "scale"], outputs: ["y"] },
      ],
      output: { name: "y", dtype: "float32", dims: [1] },
    },
    "input beside a label": {
      nodes: [
        pick,
        { op: "Cast", inputs: ["label"], outputs: ["f"], attributes: { to: 1 } },
        { op: "Reshape", inputs: ["f", "row"], outputs: ["row_label"] },
        { op: "Concat", inputs: ["x", "row_label"], outputs: ["y"], attributes: { axis: 1 } },
      ],
      output: { name: "y", dtype: "float32", dims: [1, 5] },
    },
  }
  for (const [name, { nodes, output }] of Object.entries(tails)) {
    const initializers = {
      ...classifierSpec().initializers,
      zero: tensor("float32", [], [0]),
      scale: tensor("float32", [], [0.1]),
      offset: tensor("uint8", [], [128]),
      row: tensor("int64", [2], [1, 1]),
    }
    assert.deepEqual(
      await digestOf({ nodes: [first, relu, second, ...nodes], outputs: [output], initializers }),
      ["logits"],
      name,
    )
  }
})

test("R7: top-k indices are lossy, its values are not", async () => {
  const nodes: NodeSpec[] = [
    first,
    relu,
    second,
    { op: "TopK", inputs: ["logits", "k"], outputs: ["best", "places"], attributes: { axis: 1 } },
  ]
  const initializers = { ...classifierSpec().initializers, k: tensor("int64", [1], [2]) }
  const places = { name: "places", dtype: "int64" as const, dims: [1, 2] }
  // It has no exact meaning yet, so a job of it cannot be prepared; what its digest would be can be said all the same.
  const chosen = async (outputs: ModelSpec["outputs"]) =>
    (await inspectModel({ runner }, classifier({ nodes, initializers, outputs }))).digest.tensors
  assert.deepEqual(await chosen([places]), ["logits"])
  const best = { name: "best", dtype: "float32" as const, dims: [1, 2] }
  assert.deepEqual(await chosen([best]), [])
})

test("R7: a quantized network is taken at its last sums, not at its quantized input", async () => {
  const scale = tensor("float32", [], [0.05])
  const nodes: NodeSpec[] = [
    { op: "QuantizeLinear", inputs: ["x", "scale", "offset"], outputs: ["xq"] },
    { op: "MatMulInteger", inputs: ["xq", "w", "offset"], outputs: ["sums"] },
    { op: "Cast", inputs: ["sums"], outputs: ["wide"], attributes: { to: 1 } },
    { op: "Mul", inputs: ["wide", "scale"], outputs: ["logits"] },
    pick,
  ]
  assert.deepEqual(
    await digestOf({ nodes, initializers: { scale, offset: tensor("uint8", [], [128]), w: ramp([4, 3], "int8") } }),
    ["logits"],
  )
})

test("R7: a network of eight bits throughout has no full-precision tensor, and inspect says what that means", async () => {
  const scale = tensor("float32", [], [0.05])
  const zero = tensor("uint8", [], [128])
  const nodes: NodeSpec[] = [
    { op: "QuantizeLinear", inputs: ["x", "scale", "zero"], outputs: ["xq"] },
    {
      op: "QLinearMatMul",
      inputs: ["xq", "scale", "zero", "w", "scale", "zero", "scale", "zero"],
      outputs: ["yq"],
    },
    { op: "DequantizeLinear", inputs: ["yq", "scale", "zero"], outputs: ["logits"] },
    pick,
  ]
  const w = tensor("uint8", [4, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  const { digest } = await inspectModel({ runner }, classifier({ nodes, initializers: { scale, zero, w } }))
  assert.deepEqual(digest.tensors, [])
  assert.match(digest.note, /no full-precision tensor stands before the lossy step/)
})

test("R7: at most two tensors, those with the most work behind them", async () => {
  const branch = (i: number, depth: number): NodeSpec[] => [
    ...Array.from(
      { length: depth },
      (_, step): NodeSpec => ({
        op: "MatMul",
        inputs: [step === 0 ? "x" : `b${i}_${step}`, "w"],
        outputs: [`b${i}_${step + 1}`],
      }),
    ),
    { op: "ArgMax", inputs: [`b${i}_${depth}`], outputs: [`label${i}`], attributes: { axis: 1, keepdims: 0 } },
  ]
  const spec = {
    nodes: [...branch(0, 3), ...branch(1, 1), ...branch(2, 2)],
    outputs: [0, 1, 2].map((i) => ({ name: `label${i}`, dtype: "int64" as const, dims: [1] })),
    initializers: { w: ramp([4, 4]) },
  }
  assert.deepEqual(await digestOf(spec), ["b0_3", "b2_2"])
})

test("R7: a tensor above 16 kB is passed over for an earlier one, and where there is none inspect says so", async () => {
  const wide = (from: NodeSpec[], start: string): Partial<ModelSpec> => ({
    nodes: [...from, { op: "MatMul", inputs: [start, "wide"], outputs: ["scores"] }, { ...pick, inputs: ["scores"] }],
    initializers: { w1: ramp([4, 8]), wide: ramp([start === "x" ? 4 : 8, 5_000]) },
  })
  assert.deepEqual(await digestOf(wide([first, relu], "r")), ["r"])
  const inspected = await inspectModel({ runner }, classifier(wide([], "x")))
  assert.deepEqual(inspected.digest.tensors, [])
  assert.match(inspected.digest.note, /larger than 16384 bytes/)
})

test("error: a model that names digest tensors which it does not put out, or too many of them", async () => {
  const named = (value: string) => classifier({ metadata: { "assay.digest": value } })
  for (const value of ['["nowhere"]', "no json", '["label"]', '{"a":1}'])
    await assert.rejects(prepareModel({ runner }, named(value)), { code: "E_MODEL_INVALID" }, value)
})
