import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import {
  buildSegment,
  cosineRates,
  createRunner,
  decodeElements,
  initialState,
  prepareModel,
  readModel,
  trainableParameters,
} from "#engine"
import { readAdderModel } from "../../examples/adder/adderModel.ts"
import { exactMatches } from "../../examples/adder/exactMatches.ts"
import { adderModel, PARAMETERS } from "../../examples/adder/network.ts"
import { drawAdditions, encodeAdditions, PAIRS, textOf } from "../../examples/adder/sums.ts"
import { adderTraining, SAMPLES, SCHEDULE } from "../../examples/adder/training.ts"

const runner = createRunner()
after(() => runner.close())

test("behavior: training and held-out additions are ranges of one shuffle of all pairs, and share none", () => {
  const numbers = new Set(drawAdditions(0, PAIRS).map(({ a, b }) => a * 1000 + b))
  assert.equal(numbers.size, PAIRS)
  assert.ok(SAMPLES.train + SAMPLES.heldOut <= PAIRS)
})

test("behavior: an addition is read with its answer from the last digit on", () => {
  assert.equal(textOf({ a: 123, b: 45 }), "123+045=8610")
  const { tokens, answers } = encodeAdditions([{ a: 123, b: 45 }])
  assert.deepEqual([...tokens.data], [1, 2, 3, 10, 0, 4, 5, 11, 8, 6, 1])
  assert.deepEqual([...answers.data], [8, 6, 1, 0])
})

test("behavior: the committed adder gets held-out sums right and can be run in the exact class", async () => {
  const bytes = await readAdderModel()
  const segment = buildSegment({ ...adderTraining(), model: adderModel(64) }, 1)
  const [p] = initialState(segment, bytes)
  const held = drawAdditions(SAMPLES.train, 5_000)
  const right = await exactMatches({ runner }, segment.parameters, p!, held)
  assert.ok(right >= 0.99 * held.length, `${right} of ${held.length}`)
  const prepared = await prepareModel({ runner }, bytes)
  assert.ok(prepared.bytes.length > 0)
})

test("behavior: the recipe learns: a hundred steps lower the loss, and anyone who runs them gets the same bits", async () => {
  const training = adderTraining()
  const segment = buildSegment(training, 10)
  const hash = `0x${createHash("sha256").update(segment.bytes).digest("hex")}` as const
  await runner.load(segment.bytes, hash)
  const train = async () => {
    let state = initialState(segment, training.model)
    const losses: number[] = []
    for (let done = 0; done < 100; done += 10) {
      const results = await runner.run(hash, [...state, cosineRates(SCHEDULE, done, 10)])
      state = results.slice(0, -1)
      losses.push(...(decodeElements(results.at(-1)!) as number[]))
    }
    return { state, losses }
  }
  const [first, second] = [await train(), await train()]
  assert.deepEqual(first.state, second.state)
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length
  const [early, late] = [mean(first.losses.slice(0, 10)), mean(first.losses.slice(-10))]
  assert.ok(late < 0.8 * early, `from ${early} to ${late}`)
})

test("behavior: what is learned is every weight of the file, positions included", () => {
  const model = readModel(adderModel(2))
  const found = trainableParameters(model)
  // Positions are added as a matrix, which a mask could be as well: they are named.
  assert.deepEqual(
    PARAMETERS.filter((name) => !found.includes(name)),
    ["positions"],
  )
})
