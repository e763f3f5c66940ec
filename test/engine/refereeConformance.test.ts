import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  buildRoundProgram,
  buildSegment,
  COMPRESSIONS,
  createRoundRuntime,
  createRunner,
  EngineError,
  type EngineErrorDetail,
  initialState,
  playRound,
  readModelInterface,
  roundTasks,
} from "#engine"
import { selfTestModels } from "#engine/selfTest/models.ts"
import { PRIMITIVES } from "#protocol"
import { adderModel } from "../../examples/adder/network.ts"
import { drawAdditions, encodeAdditions } from "../../examples/adder/sums.ts"
import { adderTraining } from "../../examples/adder/training.ts"
import { boostedTrees } from "./support/forests.ts"
import { createJudge } from "./support/judge.ts"
import { cnn, decoder, encoder, fusedDecoder, lstm, quantizedMlp } from "./support/networks.ts"
import { casesMissing, onnxCases } from "./support/onnxCases.ts"
import { createDice } from "./support/operations.ts"
import { type Judgements, judgeModel } from "./support/refereeConformance.ts"

const SEED = 20261127
/** Networks have hundreds of operations, the ONNX project's models a few. */
const ELEMENTS = { network: 100, case: 10, vector: 12 }

const runner = createRunner()
const judge = await createJudge()
after(async () => {
  await runner.close()
  await judge.close()
})

for (const [name, make] of Object.entries({
  decoder,
  encoder,
  cnn,
  lstm,
  quantizedMlp,
  fusedDecoder,
  boostedTrees,
}))
  test(`behavior: the referee confirms elements of the network ${name}, and refutes them corrupted`, async (t) => {
    const { model, inputs } = make()
    const dice = createDice(SEED)
    const judged = await judgeModel({ runner, judge, dice }, { model, inputs: inputs(), elements: ELEMENTS.network })
    t.diagnostic(summary([judged]))
    assert.deepEqual([judged.right, judged.wrong], [ELEMENTS.network, ELEMENTS.network])
  })

for (const [compression, slotState] of [
  ...COMPRESSIONS.map((compression) => [compression, "kept"] as const),
  ["int4", "none"] as const,
])
  test(`R34: the referee confirms elements of a round of training with ${compression}, slot state ${slotState}, and refutes them corrupted`, async (t) => {
    const training = {
      ...adderTraining(),
      data: encodeAdditions(drawAdditions(0, 16)),
      model: adderModel(4, 1, { width: 16, heads: 2, hidden: 32 }),
      batch: 4,
    }
    const segment = buildSegment(training, 2)
    const [begin] = initialState(segment, training.model)
    // Robust once: with the compression of which most is sent.
    const robust = compression === "int4" && slotState === "kept" ? { clipNorm: 0.01, trim: 1 } : {}
    const outer = { rate: 0.7, momentum: 0.6, ...robust }
    const program = buildRoundProgram({ segment, begin: begin!, slots: 3, compression, slotState, outer })
    const rates = [0.01, 0.01]
    // From the second round on there are updates to aggregate, and moments.
    const runtime = createRoundRuntime({ runner }, program)
    const { state } = await playRound(runtime, program, { state: program.genesis, rates, missing: new Set([2]) })
    const task = (await roundTasks(program, state, rates))[1]!
    const inputs = readModelInterface(program.model).inputs.map(({ name }) => task[name]!)
    const dice = createDice(SEED)
    const judged = await judgeModel(
      { runner, judge, dice },
      { model: program.model, inputs, elements: ELEMENTS.network },
    )
    t.diagnostic(summary([judged]))
    assert.deepEqual([judged.right, judged.wrong], [ELEMENTS.network, ELEMENTS.network])
  })

test("R25: the referee confirms elements of the self-test's programs, and refutes them corrupted", async (t) => {
  const dice = createDice(SEED)
  const judged: Judgements[] = []
  for (const { bytes, inputs } of selfTestModels())
    judged.push(await judgeModel({ runner, judge, dice }, { model: bytes, inputs, elements: ELEMENTS.vector }))
  t.diagnostic(summary(judged))
  for (const { right, wrong } of judged) assert.deepEqual([right, wrong], [ELEMENTS.vector, ELEMENTS.vector])
  assert.deepEqual(
    Object.keys(PRIMITIVES).filter((name) => !judged.some(({ primitives }) => primitives.some((p) => p === name))),
    [],
    "primitives that were never judged",
  )
})

test("behavior: the referee confirms elements of every exact test model of the ONNX project, and refutes them corrupted", {
  skip: casesMissing,
}, async (t) => {
  const dice = createDice(SEED)
  const judged: Judgements[] = []
  const refused: EngineErrorDetail[] = []
  for (const { name, model, inputs } of onnxCases())
    await t.test(name, async () => {
      try {
        judged.push(await judgeModel({ runner, judge, dice }, { model, inputs, elements: ELEMENTS.case }))
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        refused.push(error.detail)
      }
    })
  const why = [...new Set(refused.map(({ message }) => message))].join("; ")
  t.diagnostic(`${summary(judged)}; ${refused.length} models refused: ${why}`)
  for (const { code, message } of refused) {
    assert.equal(code, "E_MODEL_NOT_EXACT")
    assert.match(message, /float64/)
  }
  assert.deepEqual([judged.length, refused.length], [30, 5])
  for (const { right, wrong } of judged) assert.deepEqual([right, wrong], [ELEMENTS.case, ELEMENTS.case])
})

function summary(judged: readonly Judgements[]): string {
  const sum = (count: (each: Judgements) => number) => judged.reduce((total, each) => total + count(each), 0)
  const primitives = [...new Set(judged.flatMap((each) => each.primitives))].sort()
  return [
    `${judged.length} models`,
    `${sum(({ right }) => right)} elements judged right`,
    `${sum(({ wrong }) => wrong)} corrupted judged wrong`,
    `primitives ${primitives.join(", ")}`,
  ].join(", ")
}
