import assert from "node:assert/strict"
import { after, test } from "node:test"
import { createRunner, EngineError, type EngineErrorDetail } from "#engine"
import { assertConforms, runModel } from "../support/conformance.ts"
import { boostedTrees } from "../support/forests.ts"
import { cnn, decoder, encoder, fusedDecoder, lstm, quantizedMlp } from "../support/networks.ts"
import { casesMissing, onnxCases } from "../support/onnxCases.ts"

const runner = createRunner()
after(() => runner.close())

for (const [name, make] of Object.entries({
  decoder,
  encoder,
  cnn,
  lstm,
  quantizedMlp,
  fusedDecoder,
  boostedTrees,
}))
  test(`behavior: the network ${name} becomes a program whose every wire is what the reference says`, async (t) => {
    const { model, inputs } = make()
    for (const seed of [1, 2]) {
      const given = inputs(seed)
      const { operations, worst, judged } = await assertConforms(
        runner,
        model,
        given,
        await runModel(runner, model, given),
      )
      t.diagnostic(`${operations} operations, ${judged} judged, ${worst.toFixed(4)} of the tolerance`)
      assert.equal(judged, operations)
    }
  })

test("behavior: every test model of the ONNX project is exact and right, or refused by name", {
  skip: casesMissing,
}, async (t) => {
  const refused: EngineErrorDetail[] = []
  let exact = 0
  for (const { name, model, inputs, outputs } of onnxCases())
    await t.test(name, async () => {
      try {
        await assertConforms(runner, model, inputs, outputs)
        exact++
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        refused.push(error.detail)
      }
    })
  t.diagnostic(
    `${exact} exact, ${refused.length} refused: ${[...new Set(refused.map(({ message }) => message))].join("; ")}`,
  )
  // Those that are refused take float64, which is no type of programs.
  for (const { code, message, remedy } of refused) {
    assert.equal(code, "E_MODEL_NOT_EXACT")
    assert.match(message, /float64/)
    assert.match(remedy ?? "", /float32/)
  }
  assert.deepEqual([exact, refused.length], [30, 5])
})
