import assert from "node:assert/strict"
import { after, test } from "node:test"
import { createRunner, type EngineError, normalizeModel } from "#engine"
import type { Tensor } from "#protocol"
import { compileProgram } from "../../../engine/program/compileProgram.ts"
import { elementsOf, floats } from "../../../engine/program/elements.ts"
import { traceProgram } from "../../../engine/program/trace.ts"
import { COMPRESSIONS, type Compression } from "../../../engine/rounds/compression.ts"
import { createRoundRuntime, playRound } from "../../../engine/rounds/playRound.ts"
import { buildRoundProgram, parametersOf, type SlotState, slotInputs } from "../../../engine/rounds/roundProgram.ts"
import { nextState, type RoundState } from "../../../engine/rounds/roundState.ts"
import { quadraticSegment } from "./support/quadratic.ts"

const SIZE = 300
const SLOTS = 4
const RATES = [0.1, 0.1]
const runner = createRunner()
after(() => runner.close())

const points = Array.from({ length: SLOTS }, (_, slot) =>
  Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i * (slot + 1)) + slot),
)
const mean = Float32Array.from({ length: SIZE }, (_, i) => points.reduce((sum, point) => sum + point[i]!, 0) / SLOTS)

/** What is sent in few bits must be followed slowly, and goes on trembling: `within` of the size of the optimum. */
const OUTER = {
  int4: { rate: 1, momentum: 0.5, within: 0.01 },
  sign: { rate: 0.5, momentum: 0.5, within: 0.07 },
  dct: { rate: 0.25, momentum: 0, within: 0.12 },
} as const

async function open(compression: Compression, slotState: SlotState = "kept") {
  const program = buildRoundProgram({
    ...quadraticSegment({ points, steps: RATES.length, begin: new Float32Array(SIZE).fill(5) }),
    slots: SLOTS,
    compression,
    slotState,
    outer: OUTER[compression],
  })
  const normalized = {
    model: (await normalizeModel({ runner }, program.model)).bytes,
    closing: (await normalizeModel({ runner }, program.closing)).bytes,
  }
  return { program, normalized, runtime: createRoundRuntime({ runner }, program) }
}

for (const compression of COMPRESSIONS) {
  test(`behavior: with ${compression}, slots that each see a part of the data come to what all of it wants`, async () => {
    const { program, runtime } = await open(compression)
    let state: RoundState = program.genesis
    for (let round = 0; round < 120; round++) ({ state } = await playRound(runtime, program, { state, rates: RATES }))
    const found = elementsOf(parametersOf(program, await runtime.close(state))) as Float32Array
    const off = Math.hypot(...found.map((value, i) => value - mean[i]!)) / Math.hypot(...mean)
    assert.ok(off < OUTER[compression].within, `${compression}: ${off} off`)
    assert.equal((elementsOf(state.own[0]!.cursor!) as BigInt64Array)[0], 240n)
  })
}

test("R2: a round is a program: every wire of it can be shown, and shown has the same bits", async () => {
  const { program, normalized, runtime } = await open("int4")
  const { state } = await playRound(runtime, program, { state: program.genesis, rates: RATES })
  const given = { slot: 2, rates: RATES }
  const partial = { ...state, included: [true, false, true, true] }
  const fast = await runtime.play(partial, given)
  const compiled = compileProgram(normalized.model)
  const inputs = await slotInputs(program, partial, given)
  const traced = await traceProgram(
    { runner },
    normalized.model,
    compiled.wires.slice(0, Object.keys(inputs).length).map(({ name }) => inputs[name]!),
    compiled,
  )
  for (const [name, tensor] of Object.entries(fast)) {
    const wire = compiled.wires.findIndex((one) => one.name === name)
    assert.deepEqual(traced[wire]!.data, tensor.data, name)
  }
})

test("R34: every slot computes the next state, and one that says another is named", async () => {
  const { program, runtime } = await open("int4")
  const { state, outputs } = await playRound(runtime, program, { state: program.genesis, rates: RATES })
  const first = await playRound(runtime, program, { state, rates: RATES })
  const poisoned = first.outputs.map((tensors) => ({ ...tensors }))
  poisoned[3]!.parameters_next = outputs[3]!.parameters_next!
  const expected = await runtime.close(state)
  assert.throws(
    () => nextState(program.ports, { state, outputs: poisoned, expected }),
    (error: EngineError) => error.code === "E_ROUND_STATE" && /slot 3 of round 1.*'parameters'/.test(error.message),
  )
})

test("error: a loss that is no number stops the run, and says where", async () => {
  const { program, runtime } = await open("sign")
  await assert.rejects(
    playRound(runtime, program, { state: program.genesis, rates: [Number.POSITIVE_INFINITY, 0.1] }),
    (error: EngineError) => error.code === "E_ROUND_LOSS" && /step 1 of slot 0 in round 0/.test(error.message),
  )
})

test("behavior: an update that is not in changes nothing for anybody but its own slot", async () => {
  const { program, runtime } = await open("int4")
  const { state } = await playRound(runtime, program, { state: program.genesis, rates: RATES })
  const without = { ...state, included: [true, true, true, false] }
  const changed = { ...without, gathered: { ...state.gathered, scales: scaled(state.gathered.scales!) } }
  assert.deepEqual(await runtime.close(without), await runtime.close(changed))

  function scaled(scales: (typeof state.gathered)[string]) {
    const values = Float32Array.from(elementsOf(scales) as Float32Array)
    values.fill(Number.NaN, (values.length / SLOTS) * 3)
    return floats(scales.dims, values)
  }
})

test("behavior: without a state of its own, a slot has nothing but its place, and begins with the mean of the second moments that are in", async () => {
  const { program, runtime } = await open("int4", "none")
  assert.deepEqual(program.ports.own, ["cursor"])
  const { state } = await playRound(runtime, program, { state: program.genesis, rates: RATES })
  const partial = { ...state, included: [true, true, false, true] }
  const gathered = {
    ...state.gathered,
    // Each slot's numbers are all the same: of the highest level there is. The slot that is not in sent NaN.
    "v.codes": filled(state.gathered["v.codes"]!),
    "v.scales": scales(state.gathered["v.scales"]!, [1, 2, Number.NaN, 3]),
  }
  // The quadratic's steps leave the second moments as they are: what a slot began with is what it sends.
  for (const slot of [0, 2]) {
    const outputs = await runtime.play({ ...partial, gathered }, { slot, rates: RATES })
    const sent = (elementsOf(outputs["v.scales_next"]!) as Float32Array)[0]!
    assert.ok(Math.abs(sent - ((1 + 16 + 81) / 3) ** 0.25) < 1e-5, `${sent}`)
    assert.ok(!("m_next" in outputs), "first moments go nowhere")
  }

  function filled(codes: Tensor): Tensor {
    return { ...codes, data: new Uint8Array(codes.data.length).fill(0xff) }
  }
  function scales({ dims }: Tensor, values: readonly number[]): Tensor {
    const each = dims[1]! * dims[2]!
    return floats(
      dims,
      Float32Array.from({ length: SLOTS * each }, (_, i) => values[Math.floor(i / each)]!),
    )
  }
})
