import assert from "node:assert/strict"
import { after, test } from "node:test"
import { createJudge } from "./support/judge.ts"
import { MAKERS } from "./support/operations.ts"
import { fuzzReferee } from "./support/refereeFuzz.ts"

const judge = await createJudge()
after(() => judge.close())

test("the referee gives onnxruntime's bits for elements of random operations on random and adversarial values", async () => {
  const { tally, difference } = await fuzzReferee(judge, { seed: 4, elements: 1_500 })
  assert.equal(difference, undefined)
  assert.equal(tally.elements, 1_500)
  assert.ok(MAKERS.length <= Object.keys(tally.operations).length, "an operation was never judged")
})
