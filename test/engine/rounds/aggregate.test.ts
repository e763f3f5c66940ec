import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import fc from "fast-check"
import { createRunner, normalizeModel } from "#engine"
import { writeModel } from "../../../engine/onnx/writeModel.ts"
import { elementsOf, floats } from "../../../engine/program/elements.ts"
import { aggregate, type OuterOptimizer } from "../../../engine/rounds/aggregate.ts"
import { createNodes } from "../../../engine/rounds/nodes.ts"

const SIZE = 8
const WORKERS = 3
const OUTER = { rate: 0.7, momentum: 0.6 }
const runner = createRunner()
after(() => runner.close())

async function open(outer: OuterOptimizer, workers = WORKERS) {
  const g = createNodes("a")
  const names = Array.from({ length: workers }, (_, i) => i)
  const { parameters, momentum } = aggregate(g, {
    parameters: "p",
    momentum: "u",
    updates: names.map((i) => `d${i}`),
    weights: names.map((i) => `w${i}`),
    dims: [SIZE],
    outer,
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
  const { bytes } = await normalizeModel({ runner }, file)
  const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
  await runner.load(bytes, sha256)
  return async ({ p, u, updates, weights }: Given) => {
    const [after, next] = await runner.run(sha256, [
      floats([SIZE], p),
      floats([SIZE], u),
      ...updates.map((update) => floats([SIZE], update)),
      ...weights.map((weight) => floats([1], [weight])),
    ])
    return { parameters: elementsOf(after!) as Float32Array, momentum: elementsOf(next!) as Float32Array }
  }
}

type Given = { p: Float32Array; u: Float32Array; updates: Float32Array[]; weights: number[] }

const run = await open(OUTER)

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

/** Adds the mean of what the updates have in common, and nothing else. */
const PLAIN = { rate: 1, momentum: 0 }
const TRIM = 1
const CROWD = 5
const trimmed = await open({ ...PLAIN, trim: TRIM }, CROWD)
const shortened = await open({ ...PLAIN, clipNorm: 2 })
const zeros = new Float32Array(SIZE)

test("property: a trimmed mean is the mean of what is left of each number", async () => {
  const crowd = fc.array(vectors, { minLength: CROWD, maxLength: CROWD })
  const weights = fc.array(fc.constantFrom(0, 1), { minLength: CROWD, maxLength: CROWD })
  await fc.assert(
    fc.asyncProperty(crowd, weights, async (updates, given) => {
      const { momentum } = await trimmed({ p: zeros, u: zeros, updates, weights: given })
      const present = [...given.keys()].filter((i) => given[i] === 1)
      const expected = Float32Array.from({ length: SIZE }, (_, at) => {
        const order = present.toSorted((a, b) => updates[a]![at]! - updates[b]![at]! || b - a)
        const left = present.length > 2 * TRIM ? new Set(order.slice(TRIM, -TRIM)) : new Set(order)
        const total = present.reduce((sum, i) => (left.has(i) ? Math.fround(sum + updates[i]![at]!) : sum), 0)
        return Math.fround(total / Math.max(left.size, 1))
      })
      // Which of equals is taken out changes nothing but the order of a sum.
      for (const [at, found] of momentum.entries()) assert.ok(Math.abs(found - expected[at]!) < 1e-5)
    }),
    { numRuns: 100 },
  )
})

test("attack: as many made-up updates as are trimmed move no number out of the range of the honest ones", async () => {
  const poison = fc.oneof(
    fc.float32Array({ minLength: SIZE, maxLength: SIZE }),
    fc.constantFrom(1e38, -1e38, Number.NaN, Infinity, -Infinity).map((value) => new Float32Array(SIZE).fill(value)),
  )
  const honest = fc.array(vectors, { minLength: CROWD - TRIM, maxLength: CROWD - TRIM })
  await fc.assert(
    fc.asyncProperty(honest, poison, fc.integer({ min: 0, max: CROWD - 1 }), async (right, wrong, at) => {
      const updates = right.toSpliced(at, 0, wrong)
      const { momentum } = await trimmed({ p: zeros, u: zeros, updates, weights: new Array(CROWD).fill(1) })
      for (let i = 0; i < SIZE; i++) {
        const numbers = right.map((update) => update[i]!)
        assert.ok(momentum[i]! >= Math.min(...numbers) - 1e-5 && momentum[i]! <= Math.max(...numbers) + 1e-5)
      }
    }),
    { numRuns: 200 },
  )
})

test("attack: a made-up update moves the mean by no more than its length is allowed, and none by its length alone", async () => {
  const length = (vector: Float32Array) => Math.hypot(...vector)
  const still = [zeros, zeros, zeros]
  for (const value of [1e-3, 1, 1e10, 1e38, Infinity, Number.NaN]) {
    const updates = still.with(1, new Float32Array(SIZE).fill(value))
    const { momentum } = await shortened({ p: zeros, u: zeros, updates, weights: [1, 1, 1] })
    const own = length(updates[1]!)
    // Squares of what is longer than 2^64 are no float32.
    const allowed = own < 2 ** 64 ? Math.min(own, 2) : 0
    assert.ok(Math.abs(length(momentum) - allowed / 3) < 1e-6, `${value}: ${length(momentum)}`)
  }
})
