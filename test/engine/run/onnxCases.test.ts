import assert from "node:assert/strict"
import { after, test } from "node:test"
import { createRunner, decodeElements, inspectModel, prepareModel } from "#engine"
import type { Tensor } from "#protocol"
import { casesMissing, onnxCases } from "../support/onnxCases.ts"

const runner = createRunner()
after(() => runner.close())

/** PyTorch's recordings: 1e-3 relative, 1e-7 absolute. */
function assertClose(got: Tensor, want: Tensor, what: string) {
  assert.deepEqual([got.dtype, got.dims], [want.dtype, want.dims], what)
  const [actual, expected] = [decodeElements(got), decodeElements(want)]
  actual.forEach((value, i) => {
    const [a, b] = [Number(value), Number(expected[i])]
    assert.ok(Object.is(a, b) || Math.abs(a - b) <= 1e-7 + 1e-3 * Math.abs(b), `${what}, element ${i}: ${a} for ${b}`)
  })
}

test("behavior: the ONNX project's test models give what PyTorch recorded", {
  skip: casesMissing,
}, async (t) => {
  const cases = onnxCases()
  assert.ok(cases.length >= 30)
  for (const { name, model, inputs, outputs } of cases)
    await t.test(name, async () => {
      const prepared = await prepareModel({ runner }, model)
      await runner.load(prepared.bytes, prepared.sha256)
      const got = await runner.run(prepared.sha256, inputs)
      outputs.forEach((want, i) => {
        assertClose(got[i]!, want, `${name} output ${i}`)
      })
    })
})

test("behavior: inspect says of each that it can be exact, or names what it is of", {
  skip: casesMissing,
}, async () => {
  for (const { name, model, inputs: given } of onnxCases()) {
    const { exact, inputs, outputs, operations } = await inspectModel({ runner }, model)
    assert.ok(inputs.length > 0 && outputs.length > 0 && operations.length > 0, name)
    const refused = given.some(({ dtype }) => dtype === "float64")
    assert.equal(exact.ok, !refused, name)
    for (const { why, remedy } of exact.refused) assert.match(`${why}: ${remedy}`, /float64.*float32/, name)
  }
})
