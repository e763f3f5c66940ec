import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  canonicalNaN,
  compileProgram,
  createRunner,
  decodeElements,
  EngineError,
  inspectModel,
  type ModelSpec,
  type NodeSpec,
  normalizeModel,
  readModelInterface,
  writeModel,
} from "#engine"
import { type Dtype, operationLeaf, PRIMITIVES, programRootV1, type Tensor, tensorRoot } from "#protocol"
import { assertConforms } from "../support/conformance.ts"
import { tensor } from "../support/graphs.ts"
import { encoder, floatTensor, noise } from "../support/networks.ts"

const runner = createRunner()
after(() => runner.close())

const weights = (...dims: number[]) => floatTensor(dims, noise(3), 0.5)
const value = (name: string, dims: readonly number[], dtype: Dtype = "float32") => ({ name, dtype, dims })

/** x [2, 3] through nodes to y, as a program is written. */
function program(
  nodes: readonly NodeSpec[],
  y: { dims: readonly number[]; dtype?: Dtype },
  more: Partial<ModelSpec> = {},
): Uint8Array {
  return writeModel({
    name: "p",
    nodes: nodes.map((node, i) => ({ name: `n${i}`, ...node })),
    inputs: [value("x", [2, 3])],
    outputs: [value("y", y.dims, y.dtype)],
    metadata: { "assay.digest": "[]" },
    ...more,
  })
}

const MATMUL: NodeSpec[] = [
  { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
  { op: "Add", inputs: ["h", "b"], outputs: ["y"] },
]
const matmul = (more: Partial<ModelSpec> = {}, w = weights(3, 4)) =>
  program(MATMUL, { dims: [2, 4] }, { initializers: { w, b: weights(4) }, ...more })

test("behavior: a program compiles to operations, constants in operand layout, and wires", () => {
  const w = weights(3, 4)
  const { operations, program: header, constants, wires, root } = compileProgram(matmul({}, w))
  assert.deepEqual(
    wires.map(({ name, dims }) => [name, [...dims]]),
    [
      ["x", [2, 3]],
      ["h", [2, 4]],
      ["y", [2, 4]],
    ],
  )
  assert.deepEqual(
    [header.inputs, header.outputs, header.digests, header.operations],
    [[{ dtype: 1, dims: [2n, 3n] }], [2], [], 2],
  )
  const [product] = operations
  assert.deepEqual([product!.code, product!.attributes], [PRIMITIVES.MATMUL, [256n]])
  // The second factor's columns are its rows.
  const rows = decodeElements(constants.get(product!.inputs[1]!.root)!)
  const plain = decodeElements(w)
  assert.deepEqual(
    rows,
    [0, 1, 2, 3].flatMap((n) => [0, 1, 2].map((k) => plain[k * 4 + n])),
  )
  assert.equal(
    product!.inputs[1]!.root,
    tensorRoot({ dtype: "float32", dims: [4, 3], data: constants.get(product!.inputs[1]!.root)!.data }),
  )
  assert.equal(root, programRootV1(header))
  assert.notEqual(operationLeaf(0, product!), operationLeaf(1, product!))
})

test("behavior: the root is a function of the bytes, and of every constant, attribute, output and digest", () => {
  const base = matmul()
  const roots = [
    base,
    matmul({}, floatTensor([3, 4], noise(4), 0.5)),
    matmul({ metadata: { "assay.digest": '["h"]' }, outputs: [value("y", [2, 4]), value("h", [2, 4])] }),
    matmul({ outputs: [value("y", [2, 4]), value("h", [2, 4])] }),
    program(
      [...MATMUL.slice(0, 1), { op: "Sub", inputs: ["h", "b"], outputs: ["y"] }],
      { dims: [2, 4] },
      { initializers: { w: weights(3, 4), b: weights(4) } },
    ),
  ].map((bytes) => compileProgram(bytes).root)
  assert.equal(new Set(roots).size, roots.length)
  assert.equal(compileProgram(base).root, roots[0])
})

/** A pool over bytes, of which none is NaN. */
function pool(x: readonly number[], attributes: NodeSpec["attributes"], y: readonly number[]): Uint8Array {
  const node = { op: "MaxPool", inputs: ["x"], outputs: ["y"], attributes }
  return program([node], { dims: y, dtype: "uint8" }, { inputs: [value("x", x, "uint8")] })
}

test("behavior: a pool that is padded and dilated as far as it may be is what the reference says", async () => {
  const padded = { kernel_shape: [2, 3], strides: [1, 1], pads: [1, 2, 1, 2], dilations: [2, 1] }
  const bytes = pool([1, 1, 2, 3], padded, [1, 1, 2, 5])
  const x = tensor("uint8", [1, 1, 2, 3], [1, 2, 3, 4, 5, 6])
  await assertConforms(runner, bytes, [x], [tensor("uint8", [1, 1, 2, 5], [4, 5, 6, 6, 6, 1, 2, 3, 3, 3])])
})

/** Each is a file that onnxruntime would run, and whose result would be somebody's choice. */
const UNSAFE: Record<string, [Uint8Array, RegExp]> = {
  "a maximum of what may be NaN": [
    program([{ op: "ReduceMax", inputs: ["x"], outputs: ["y"], attributes: { axes: [1], keepdims: 0 } }], {
      dims: [2],
    }),
    /NaN/,
  ],
  "a maximum of what may be -0": [
    program(
      [
        { op: "Tanh", inputs: ["r"], outputs: ["t"] },
        { op: "ReduceMax", inputs: ["t"], outputs: ["y"], attributes: { axes: [1], keepdims: 0 } },
        { op: "ThresholdedRelu", inputs: ["x"], outputs: ["r"], attributes: { alpha: { f: 0 } } },
      ].sort((a) => (a.op === "ThresholdedRelu" ? -1 : 0)) as NodeSpec[],
      { dims: [2] },
    ),
    /-0/,
  ],
  "a pool over what may be NaN": [
    program(
      [
        {
          op: "MaxPool",
          inputs: ["x"],
          outputs: ["y"],
          attributes: { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] },
        },
      ],
      { dims: [1, 1, 2, 2] },
      { inputs: [value("x", [1, 1, 3, 3])] },
    ),
    /NaN/,
  ],
  "a pool whose padding is as large as its kernel": [
    pool([1, 1, 2, 3], { kernel_shape: [2, 3], strides: [1, 1], pads: [2, 2, 2, 2], dilations: [2, 1] }, [1, 1, 4, 5]),
    /not smaller than its kernel/,
  ],
  "a pool that steps over the image, from one padding to the other": [
    pool([1, 1, 1, 3], { kernel_shape: [2, 1], strides: [1, 1], pads: [1, 0, 1, 0], dilations: [2, 1] }, [1, 1, 1, 3]),
    /padding alone/,
  ],
  "the place of the greatest, where there may be a NaN": [
    program([{ op: "ArgMax", inputs: ["x"], outputs: ["y"], attributes: { axis: 1, keepdims: 0 } }], {
      dims: [2],
      dtype: "int64",
    }),
    /NaN/,
  ],
  "a cast of what may not fit": [
    program([{ op: "Cast", inputs: ["x"], outputs: ["y"], attributes: { to: 6 } }], { dims: [2, 3], dtype: "int32" }),
    /may not fit/,
  ],
  "a choice of what may be -0": [
    program(
      [
        { op: "Less", inputs: ["x", "b"], outputs: ["c"] },
        { op: "Where", inputs: ["c", "x", "b"], outputs: ["y"] },
      ],
      { dims: [2, 3] },
      { initializers: { b: tensor("float32", [], [1]) } },
    ),
    /-0/,
  ],
  "a second factor that comes out of no Transpose": [
    program(
      [{ op: "MatMul", inputs: ["x", "z"], outputs: ["y"] }],
      { dims: [2, 2] },
      { inputs: [value("x", [2, 3]), value("z", [3, 2])] },
    ),
    /Transpose/,
  ],
  "a product of one row": [
    program(
      [
        { op: "Transpose", inputs: ["z"], outputs: ["t"], attributes: { perm: [1, 0] } },
        { op: "MatMul", inputs: ["x", "t"], outputs: ["y"] },
      ],
      { dims: [1, 2] },
      { inputs: [value("x", [1, 3]), value("z", [2, 3])] },
    ),
    /one row/,
  ],
  "a convolution of one filter": [
    program(
      [
        {
          op: "Conv",
          inputs: ["x", "w"],
          outputs: ["y"],
          attributes: { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], group: 1 },
        },
      ],
      { dims: [1, 1, 2, 2] },
      { inputs: [value("x", [1, 3, 3, 3])], initializers: { w: weights(1, 3, 2, 2) } },
    ),
    /one filter/,
  ],
  "an integer division by what may be 0": [
    program(
      [{ op: "Div", inputs: ["x", "x"], outputs: ["y"] }],
      { dims: [2, 3], dtype: "int32" },
      { inputs: [value("x", [2, 3], "int32")] },
    ),
    /may be 0/,
  ],
  "an operator that is no primitive": [
    program([{ op: "Softmax", inputs: ["x"], outputs: ["y"], attributes: { axis: -1 } }], { dims: [2, 3] }),
    /no primitive/,
  ],
  "an attribute that has no place": [
    program([{ op: "Add", inputs: ["x", "x"], outputs: ["y"], attributes: { axis: 1 } }], { dims: [2, 3] }),
    /axis/,
  ],
  "an attribute that is left to a default": [
    program([{ op: "ReduceMax", inputs: ["x"], outputs: ["y"], attributes: { axes: [1] } }], { dims: [2, 1] }),
    /NaN|keepdims/,
  ],
  "an output that is an input": [
    program([{ op: "Abs", inputs: ["x"], outputs: ["h"] }], { dims: [2, 3] }, { outputs: [value("x", [2, 3])] }),
    /operation/,
  ],
  "another opset": [matmul({ opset: 18 }), /opset/],
  "a wrong statement of a shape": [matmul({ outputs: [value("y", [4, 2])] }), /stated/],
  "a name that is defined twice": [
    program(
      [...MATMUL, { op: "Abs", inputs: ["x"], outputs: ["h"] }],
      { dims: [2, 4] },
      { initializers: { w: weights(3, 4), b: weights(4) } },
    ),
    /twice/,
  ],
  "a value that nothing puts out before": [
    program([...MATMUL].reverse(), { dims: [2, 4] }, { initializers: { w: weights(3, 4), b: weights(4) } }),
    /nothing before/,
  ],
}

for (const [what, [bytes, why]] of Object.entries(UNSAFE))
  test(`error: ${what} is in no program`, () => {
    assert.throws(
      () => compileProgram(bytes),
      (error) =>
        error instanceof EngineError && error.detail.code === "E_MODEL_NOT_NORMAL" && why.test(error.detail.message),
    )
  })

test("error: a file that is written in any other way than ours is no program", () => {
  const bytes = matmul()
  const notNormal = (file: Uint8Array) =>
    assert.throws(() => compileProgram(file), { message: /E_MODEL_(NOT_NORMAL|INVALID)|normal form/ })
  // A field that we do not know; the same metadata twice; a field in another order.
  notNormal(Uint8Array.from([...bytes, 0xa8, 0x06, 0x01]))
  notNormal(Uint8Array.from([...bytes, ...bytes.slice(-20)]))
  notNormal(Uint8Array.from([...bytes.slice(2, 9), ...bytes.slice(0, 2), ...bytes.slice(9)]))
})

test("behavior: the digest of the model is the digest of its program, on wires of its own", async () => {
  const { bytes, digestTensors, digestNote } = await normalizeModel({ runner }, encoder().model)
  assert.equal(digestTensors.length, 1)
  assert.match(digestNote, /lossy/)
  const { digestTensors: stated, outputs } = readModelInterface(bytes)
  assert.deepEqual([stated.map(({ name }) => name), outputs.map(({ name }) => name)], [digestTensors, ["label"]])
  const { program: header, wires } = compileProgram(bytes)
  assert.deepEqual(
    header.digests.map((wire) => wires[wire]!.name),
    digestTensors,
  )
  assert.deepEqual(
    header.outputs.map((wire) => wires[wire]!.name),
    ["label"],
  )
})

test("behavior: inspect names each node that cannot be exact, why, and what to do", async () => {
  const model = writeModel({
    name: "hard",
    nodes: [
      { op: "Det", name: "volume", inputs: ["x"], outputs: ["a"] },
      { op: "Cast", name: "halve", inputs: ["x"], outputs: ["h"], attributes: { to: 10 } },
      { op: "Sin", name: "behind", inputs: ["h"], outputs: ["s"] },
      { op: "Exp", name: "fine", inputs: ["x"], outputs: ["e"] },
    ],
    inputs: [value("x", [3, 3])],
    outputs: [value("a", []), value("s", [3, 3], "float16"), value("e", [3, 3])],
  })
  const { exact } = await inspectModel({ runner }, model)
  assert.deepEqual(
    exact.refused.map(({ node, op }) => [node, op]),
    [
      ["volume", "Det"],
      ["halve", "Cast"],
    ],
  )
  assert.match(exact.refused[1]!.why, /float16/)
  assert.match(exact.refused[1]!.remedy, /float32/)
  await assert.rejects(
    normalizeModel({ runner }, model),
    (error) =>
      error instanceof EngineError && error.detail.node === "volume" && error.detail.code === "E_MODEL_NOT_EXACT",
  )
})

test("behavior: canonicalNaN changes NaN alone, and copies nothing where there is none", () => {
  const bits = (words: readonly number[]): Tensor => ({
    dtype: "float32",
    dims: [words.length],
    data: new Uint8Array(Uint32Array.from(words).buffer),
  })
  const given = bits([0x7fc00001, 0xffc00000, 0x7f800001, 0x80000000, 0x7f800000, 0x00000001])
  assert.deepEqual(
    [...new Uint32Array(canonicalNaN(given).data.buffer)],
    [0x7fc00000, 0x7fc00000, 0x7fc00000, 0x80000000, 0x7f800000, 0x00000001],
  )
  const clean = bits([0x80000000, 0x7f800000])
  assert.equal(canonicalNaN(clean), clean)
})
