import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  createRunner,
  decodeElements,
  type EngineError,
  inspectModel,
  type ModelSpec,
  prepareModel,
  writeModel,
} from "#engine"
import { upgradeOpset } from "../../../engine/onnx/upgradeOpset.ts"
import { tensor } from "../support/graphs.ts"

const runner = createRunner()
after(() => runner.close())

function addition(axis: number | undefined, b: readonly number[], overrides: Partial<ModelSpec> = {}): Uint8Array {
  return writeModel({
    name: "add",
    nodes: [
      {
        op: "Add",
        inputs: ["a", "b"],
        outputs: ["y"],
        attributes: { broadcast: 1, ...(axis === undefined ? {} : { axis }) },
      },
    ],
    inputs: [
      { name: "a", dtype: "float32", dims: [2, 3] },
      { name: "b", dtype: "float32", dims: b },
    ],
    outputs: [{ name: "y", dtype: "float32", dims: [2, 3] }],
    opset: 6,
    irVersion: 3,
    ...overrides,
  })
}

test("behavior: an opset 6 addition that broadcasts from the end runs as opset 7, and gives the sum", async () => {
  for (const axis of [1, -1, undefined]) {
    const { bytes, sha256 } = await prepareModel({ runner }, addition(axis, [3]))
    await runner.load(bytes, sha256)
    const [y] = await runner.run(sha256, [
      tensor("float32", [2, 3], [1, 2, 3, 4, 5, 6]),
      tensor("float32", [3], [10, 20, 30]),
    ])
    assert.deepEqual(decodeElements(y!), [11, 22, 33, 14, 25, 36])
  }
})

test("error: one that broadcasts from the front has no exact upgrade and is refused, not run wrongly", async () => {
  await assert.rejects(prepareModel({ runner }, addition(0, [2])), (error: EngineError) => {
    return error.code === "E_MODEL_UNSUPPORTED_OP" && error.detail.op === "Add" && error.detail.node === "-> y"
  })
})

test("behavior: inspect tells the file's own opset", async () => {
  const { opset, exact } = await inspectModel({ runner }, addition(1, [3]))
  assert.deepEqual([opset, exact.ok], [6, true])
})

test("behavior: a model that needs no upgrade keeps its bytes", () => {
  const model = addition(undefined, [3], { nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["y"] }], opset: 13 })
  assert.equal(upgradeOpset(model), model)
  const exp = addition(undefined, [3], {
    nodes: [{ op: "Exp", inputs: ["a"], outputs: ["y"] }],
    inputs: [{ name: "a", dtype: "float32", dims: [2, 3] }],
  })
  assert.equal(upgradeOpset(exp), exp)
})
