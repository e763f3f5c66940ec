import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import fc from "fast-check"
import { createRunner, normalizeModel } from "#engine"
import { writeModel } from "../../../engine/onnx/writeModel.ts"
import { elementsOf, floats } from "../../../engine/program/elements.ts"
import { aggregate } from "../../../engine/rounds/aggregate.ts"
import { createNodes } from "../../../engine/rounds/nodes.ts"

const SIZE = 8
const WORKERS = 3
const OUTER = { rate: 0.7, momentum: 0.6 }
const runner = createRunner()
after(() => runner.close())

const program = await (async () => {
  const g = createNodes("a")
  const names = Array.from({ length: WORKERS }, (_, i) => i)
  const { parameters, momentum } = aggregate(g, {
    parameters: "p",
    momentum: "u",
    updates: names.map((i) => `d${i}`),
    weights: names.map((i) => `w${i}`),
    outer: OUTER,
  })
  g.name(parameters, "parameters")
  g.name(momentum, "momentum")
  const vector = (name: string, size = SIZE) => ({ name, dtype: "float32" as const, dims: [size] })
  const file = writeModel({
    name: "aggregate",
    nodes: g.nodes,
    initializers: g.initializers,
    inputs: [vector("p"), vector("u"), ...names.map((i) => vector(`d${i}`)), ...names.map((i) => vector(`w${i}`, 1))],
    outputs: [vector("parameters"), vector("momentum")],
  })
  return (await normalizeModel({ runner }, file)).bytes
})()
const sha256 = `0x${createHash("sha256").update(program).digest("hex")}` as const

type Given = { p: Float32Array; u: Float32Array; updates: Float32Array[]; weights: number[] }

async function run({ p, u, updates, weights }: Given) {
  await runner.load(program, sha256)
  const [parameters, momentum] = await runner.run(sha256, [
    floats([SIZE], p),
    floats([SIZE], u),
    ...updates.map((update) => floats([SIZE], update)),
    ...weights.map((weight) => floats([1], [weight])),
  ])
  return {
    parameters: elementsOf(parameters!) as Float32Array,
    momentum: elementsOf(momentum!) as Float32Array,
  }
}

/** The same in plain numbers, rounded to float32 after each operation. */
function plainly({ p, u, updates, weights }: Given) {
  const f = Math.fround
  const total = weights.reduce((sum, weight) => f(sum + weight))
  const count = total === 0 ? 1 : total
  const momentum = new Float32Array(SIZE)
  const parameters = new Float32Array(SIZE)
  for (let i = 0; i < SIZE; i++) {
    const sum = updates
      .map((update, j) => (weights[j]! > 0 ? f(update[i]! * weights[j]!) : 0))
      .reduce((a, b) => f(a + b))
    const mean = f(sum / count)
    momentum[i] = f(f(u[i]! * f(OUTER.momentum)) + mean)
    parameters[i] = f(p[i]! - f(f(mean + f(momentum[i]! * f(OUTER.momentum))) * f(OUTER.rate)))
  }
  return { parameters, momentum }
}

const vectors = fc.float32Array({ minLength: SIZE, maxLength: SIZE, noNaN: true, min: -8, max: 8 })
const given = fc.record({
  p: vectors,
  u: vectors,
  updates: fc.array(vectors, { minLength: WORKERS, maxLength: WORKERS }),
  weights: fc.array(fc.constantFrom(0, 1), { minLength: WORKERS, maxLength: WORKERS }),
})

test("property: the next state is the formula's, to the bit", async () => {
  await fc.assert(
    fc.asyncProperty(given, async (one) => {
      assert.deepEqual(await run(one), plainly(one))
    }),
    { numRuns: 100 },
  )
})

test("property: an update that is left out has no say, whatever it holds", async () => {
  await fc.assert(
    fc.asyncProperty(given, vectors, async (one, other) => {
      const without = { ...one, weights: [1, 0, 1] }
      const { updates } = one
      const changed = { ...without, updates: [updates[0]!, other, updates[2]!] }
      assert.deepEqual(await run(without), await run(changed))
    }),
    { numRuns: 50 },
  )
})

test("attack: a NaN in an update that is left out poisons nothing", async () => {
  const clean = new Float32Array(SIZE).fill(2)
  const one = {
    p: clean,
    u: clean,
    updates: [clean, new Float32Array(SIZE).fill(Number.NaN), clean],
    weights: [1, 0, 1],
  }
  const { parameters, momentum } = await run(one)
  assert.ok([...parameters, ...momentum].every(Number.isFinite))
})

test("behavior: a round that nobody's update reached changes nothing", async () => {
  const still = {
    p: new Float32Array(SIZE).fill(3),
    u: new Float32Array(SIZE),
    updates: Array.from({ length: WORKERS }, () => new Float32Array(SIZE).fill(1)),
    weights: [0, 0, 0],
  }
  assert.deepEqual(await run(still), { parameters: still.p, momentum: still.u })
})
