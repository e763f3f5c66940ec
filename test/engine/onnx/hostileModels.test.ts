import assert from "node:assert/strict"
import { after, test } from "node:test"
import fc from "fast-check"
import protobuf from "protobufjs/minimal.js"
import { createRunner, EngineError, inspectModel, type ModelSpec, prepareModel, readModel, writeModel } from "#engine"
import { classifier, classifierSpec, oneNode, ramp } from "../support/graphs.ts"

const runner = createRunner()
after(() => runner.close())

async function refused(bytes: Uint8Array, code: string, message: RegExp, facts: { op?: string; node?: string } = {}) {
  await assert.rejects(prepareModel({ runner }, bytes), (error) => {
    assert.ok(error instanceof EngineError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.ok(error.detail.remedy, "an error says what to do")
    if (facts.op) assert.equal(error.detail.op, facts.op)
    if (facts.node) assert.equal(error.detail.node, facts.node)
    return true
  })
}

test("error: an empty file, text, an image, JSON and a zip are no ONNX models", async () => {
  const others = ["", "hello world", "\x89PNG\r\n\x1a\n", '{"a": 1}', "PK\x03\x04 zip", "\x08"]
  for (const text of others)
    await refused(new Uint8Array(Buffer.from(text, "latin1")), "E_MODEL_NOT_ONNX", /not an ONNX model/)
})

test("error: a model cut off anywhere is refused, as truncated once it is known to be a model", async () => {
  const whole = classifier()
  for (const length of [3, 20, 100, whole.length - 1])
    await refused(whole.slice(0, length), "E_MODEL_TRUNCATED", /cut off|ends before/)
})

test("error: a number of more than ten bytes is in no model", async () => {
  // Field 1, the IR version, without an end; where one stands before it, it is a damaged model.
  const endless = [0x08, ...Array(12).fill(0xff), 1]
  await refused(Uint8Array.from(endless), "E_MODEL_NOT_ONNX", /invalid varint/)
  await refused(Uint8Array.from([0x08, 0x08, ...endless]), "E_MODEL_INVALID", /damaged.*invalid varint/)
})

test("property: damaged models give a coded error or a model, never another error, never a crash of ours", () => {
  const whole = classifier()
  const damage = fc.array(fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) }), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = whole.slice()
      for (const { at, byte } of changes) bytes[at] = byte
      try {
        readModel(bytes)
      } catch (error) {
        assert.ok(error instanceof EngineError && error.code.startsWith("E_MODEL_"), String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test("behavior: onnxruntime survives damaged models in its own process, and we get a coded error", async () => {
  const whole = classifier()
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
      const bytes = whole.slice()
      bytes[at] = byte
      await prepareModel({ runner }, bytes).catch((error) => assert.ok(error instanceof EngineError, String(error)))
    }),
    { numRuns: 100 },
  )
})

test("error: two graphs in one file, which onnxruntime would merge", async () => {
  await refused(new Uint8Array(Buffer.concat([classifier(), classifier()])), "E_MODEL_INVALID", /two graphs/)
})

test("error: weights in another file", async () => {
  // TensorProto: dims 4, float, name, data_location EXTERNAL, external_data location=/etc/passwd
  const tensor = protobuf.Writer.create()
  tensor.uint32(8).int64(4).uint32(16).int32(1).uint32(66).string("w").uint32(112).int32(1)
  tensor.uint32(106).fork().uint32(10).string("location").uint32(18).string("/etc/passwd").ldelim()
  const graph = protobuf.Writer.create().uint32(42).bytes(tensor.finish()).finish()
  const base = readableGraph(oneNode("Add", { nodes: [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }] }))
  const bytes = protobuf.Writer.create()
  bytes
    .uint32(8)
    .int64(8)
    .uint32(58)
    .bytes(Buffer.concat([base, graph]))
  bytes.uint32(66).fork().uint32(10).string("").uint32(16).int64(17).ldelim()
  await refused(bytes.finish(), "E_MODEL_EXTERNAL_DATA", /"w" live in another file/)
  assert.equal((await inspectModel({ runner }, bytes.finish())).exact.refused[0]?.code, "E_MODEL_EXTERNAL_DATA")
})

/** The bytes of a model's graph field. */
function readableGraph(model: Uint8Array): Uint8Array {
  const reader = protobuf.Reader.create(Buffer.from(model))
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 7) return reader.bytes()
    reader.skipType(tag & 7)
  }
  throw new Error("no graph")
}

const change = (overrides: Partial<ModelSpec>) => writeModel(classifierSpec(overrides))

test("error: symbolic dimensions name the input and the dimension", () =>
  refused(
    change({ inputs: [{ name: "x", dtype: "float32", dims: ["batch", 4] }] }),
    "E_MODEL_DYNAMIC_SHAPE",
    /input "x" has the shape \[batch, 4\]/,
  ))
test("error: an output without static shape", () =>
  refused(
    change({ outputs: [{ name: "label", dtype: "int64", dims: ["n"] }] }),
    "E_MODEL_DYNAMIC_SHAPE",
    /output "label"/,
  ))
test("error: shapes that depend on values", () =>
  refused(
    oneNode("NonZero", { outputs: [{ name: "y", dtype: "int64", dims: [1, 4] }] }),
    "E_MODEL_DYNAMIC_SHAPE",
    /NonZero/,
    { op: "NonZero", node: "the-NonZero" },
  ))
test("error: random numbers", () =>
  refused(oneNode("RandomNormalLike"), "E_MODEL_NONDETERMINISTIC", /random/, { op: "RandomNormalLike" }))
test("error: strings", () =>
  refused(oneNode("Cast", { attributes: { to: 8 } }), "E_MODEL_DTYPE", /strings/, { op: "Cast" }))
test("error: an unknown operator names operator and node", () =>
  refused(oneNode("Frobnicate"), "E_MODEL_UNSUPPORTED_OP", /Frobnicate/, { op: "Frobnicate", node: "-> y" }).catch(() =>
    refused(oneNode("Frobnicate"), "E_MODEL_UNSUPPORTED_OP", /Frobnicate/, {
      op: "Frobnicate",
      node: "the-Frobnicate",
    }),
  ))
test("error: an operator of an unknown domain", () =>
  refused(
    oneNode("Mine", { nodes: [{ op: "Mine", name: "m", domain: "com.example", inputs: ["x"], outputs: ["y"] }] }),
    "E_MODEL_UNSUPPORTED_OP",
    /Mine/,
  ))
test("error: scores as a list of maps", () =>
  refused(
    oneNode("ZipMap", { nodes: [{ op: "ZipMap", name: "z", domain: "ai.onnx.ml", inputs: ["x"], outputs: ["y"] }] }),
    "E_MODEL_DTYPE",
    /list of maps/,
  ))
for (const op of ["constructor", "__proto__", "toString"])
  test(`attack: an operator named ${op} is unknown like any other`, () =>
    refused(oneNode(op), "E_MODEL_UNSUPPORTED_OP", new RegExp(op)))
test("error: shapes that do not fit together", () =>
  refused(change({ initializers: { w1: ramp([5, 8]), w2: ramp([8, 3]) } }), "E_MODEL_REJECTED", /first/))
test("error: a model above the size limit", async () => {
  const limits = { fileBytes: 100, ioBytes: 1_000, nodes: 10, values: 10, rank: 8 }
  await assert.rejects(
    prepareModel({ runner, limits }, classifier()),
    (error: EngineError) => error.code === "E_MODEL_TOO_LARGE",
  )
})
test("error: inputs above the size limit", () =>
  refused(
    oneNode("Exp", {
      inputs: [{ name: "x", dtype: "float32", dims: [2 ** 30] }],
      outputs: [{ name: "y", dtype: "float32", dims: [2 ** 30] }],
    }),
    "E_MODEL_TOO_LARGE",
    /inputs of a task/,
  ))

test("error: control flow is refused by node", async () => {
  const body = readableGraph(oneNode("Exp"))
  const attribute = protobuf.Writer.create()
    .uint32(10)
    .string("then_branch")
    .uint32(50)
    .bytes(body)
    .uint32(160)
    .int32(5)
    .finish()
  const node = protobuf.Writer.create()
    .uint32(10)
    .string("c")
    .uint32(18)
    .string("y")
    .uint32(26)
    .string("choose")
    .uint32(34)
    .string("If")
    .uint32(42)
    .bytes(attribute)
    .finish()
  const graph = readableGraph(oneNode("Exp", { nodes: [] }))
  const bytes = protobuf.Writer.create().uint32(8).int64(8)
  bytes.uint32(58).bytes(Buffer.concat([protobuf.Writer.create().uint32(10).bytes(node).finish(), graph]))
  bytes.uint32(66).fork().uint32(10).string("").uint32(16).int64(17).ldelim()
  await refused(bytes.finish(), "E_MODEL_CONTROL_FLOW", /choose \(If\)/, { op: "If", node: "choose" })
})
