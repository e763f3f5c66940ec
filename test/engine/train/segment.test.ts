import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  buildSegment,
  buildStep,
  canonicalNaN,
  compileProgram,
  createRunner,
  evaluatePrimitive,
  initialState,
  normalizeModel,
  type Segment,
  stateCommitment,
  type Training,
  type TrainingState,
  traceProgram,
} from "#engine"
import { dtypeOfOnnxNumber, type Tensor, tensorRoot } from "#protocol"
import { assertConforms } from "../support/conformance.ts"
import { cnn, mlp, transformer } from "./networks.ts"
import { floatTensor, intTensor, segmentRunner } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

const OPTIMIZERS = {
  adamw: { optimizer: { kind: "adamw", weightDecay: 0.1 }, clipNorm: 0.05 },
  sgd: { optimizer: { kind: "sgd", momentum: 0.9 } },
} as const
const RATES = [0.01, 0.02, 0.005]

const same = (a: readonly Tensor[], b: readonly Tensor[]) => assert.deepEqual(a.map(tensorRoot), b.map(tensorRoot))

for (const [name, make] of Object.entries({ mlp, cnn, transformer }))
  for (const [kind, settings] of Object.entries(OPTIMIZERS)) {
    const network = make()
    const training: Training = { ...network.training, ...settings }

    test(`behavior: three steps of the ${name} with ${kind} in one segment are three single steps, bit for bit`, async () => {
      const step = buildStep(training)
      const segment = buildSegment(training, RATES.length)
      const [one, many] = [await segmentRunner(runner, step), await segmentRunner(runner, segment)]
      const start = initialState(step, training.model, 2)
      let state: TrainingState = start
      const losses: number[] = []
      for (const rate of RATES) {
        const result = await one(state, [rate])
        state = result.state
        losses.push(...result.losses)
      }
      const together = await many(start, RATES)
      same(together.state, state)
      assert.deepEqual([...together.losses], losses)
      assert.equal(stateCommitment(together.state), stateCommitment(state))
      assert.notEqual(stateCommitment(state), stateCommitment(start))
      assert.ok(losses.every(Number.isFinite), `losses ${losses}`)
    })

    test(`behavior: a step of the ${name} with ${kind} is a program whose every wire is what the reference says`, async () => {
      const step = buildStep(training)
      assert.equal(Buffer.compare((await normalizeModel({ runner }, step.bytes)).bytes, step.bytes), 0)
      const inputs = [...initialState(step, training.model, 1), floatTensor([1], [0.01])]
      const run = await segmentRunner(runner, step)
      const { state, losses } = await run(inputs.slice(0, -1), [0.01])
      const { operations, judged } = await assertConforms(runner, step.bytes, inputs, [
        ...state,
        floatTensor([1], losses),
      ])
      assert.equal(judged, operations)
    })
  }

/** The first operation whose output is not what its inputs make of it, and the first such element. */
function firstWrong(segment: Segment, trace: readonly Tensor[]): { operation: number; element: number } | undefined {
  const { operations, constants, program } = compileProgram(segment.bytes)
  for (const [i, { code, attributes, inputs, output }] of operations.entries()) {
    const claimed = trace[program.inputs.length + i]!
    const right = canonicalNaN(
      evaluatePrimitive({
        code,
        attributes,
        operands: inputs.map(({ root, wire }) => constants.get(root) ?? trace[wire]!),
        dtype: dtypeOfOnnxNumber(output.dtype)!,
        dims: output.dims.map(Number),
      }),
    )
    const element = claimed.data.findIndex((byte, at) => byte !== right.data[at])
    if (element >= 0) return { operation: i, element: Math.floor(element / 4) }
  }
  return undefined
}

test("behavior: one wrong element of the new parameters is a wrong element of one operation", async () => {
  const training: Training = { ...mlp().training, ...OPTIMIZERS.adamw }
  const segment = buildSegment(training, 2)
  const trace = await traceProgram({ runner }, segment.bytes, [
    ...initialState(segment, training.model),
    floatTensor([2], [0.01, 0.01]),
  ])
  assert.equal(firstWrong(segment, trace), undefined)
  const { program, wires } = compileProgram(segment.bytes)
  const wire = program.outputs[0]!
  assert.equal(wires[wire]!.name, "p_next")
  const forged = Uint8Array.from(trace[wire]!.data)
  forged[4 * 17] = forged[4 * 17]! ^ 1
  const lie = trace.map((tensor, i) => (i === wire ? { ...tensor, data: forged } : tensor))
  assert.deepEqual(firstWrong(segment, lie), { operation: wire - program.inputs.length, element: 17 })
})

test("behavior: a stream goes on where the last segment ended, and other streams see other samples", async () => {
  const { training } = mlp()
  const step = buildStep({ ...training, optimizer: { kind: "sgd" } })
  const run = await segmentRunner(runner, step)
  const first = await run(initialState(step, training.model, 0), [0.1])
  assert.deepEqual(
    step.state.map(({ name }) => name),
    ["p", "m", "cursor", "slot"],
  )
  same(first.state.slice(2), [intTensor([1], [1]), intTensor([1], [0])])
  const other = await run(initialState(step, training.model, 1), [0.1])
  assert.notDeepEqual([...other.losses], [...first.losses])
})
