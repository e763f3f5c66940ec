import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { isAddressEqual } from "viem"
import { CALLED, candidateOwners, isReaudited, reauditors, reauditSeats } from "#protocol"
import vectors from "../../../protocol/vectors/vectors.json" with { type: "json" }
import { account, word } from "../support.ts"

type Hex = `0x${string}`

test("behavior: the second draw is that of the golden vectors (R22)", () => {
  for (const one of vectors.secondAudits) {
    const about = { seed: one.seed as Hex, batchId: BigInt(one.batchId), sample: one.sample }
    for (const { reauditRate, is } of one.drawn) assert.equal(isReaudited({ ...about, reauditRate }), is === 1)
    assert.deepEqual(reauditSeats(about, one.seatCount), one.seats)
    const [owners, executor, first] = [one.owners as Hex[], one.executor as Hex, one.first as Hex]
    assert.deepEqual(reauditors({ owners, executor, first }), one.reauditors)
  }
})

test("property: re-auditors are never the executor or the first verifier, and at most three (R22)", () => {
  const owner = fc.constantFrom(...["01", "02", "03", "04"].map(account))
  fc.assert(
    fc.property(fc.array(owner, { minLength: 16, maxLength: 16 }), owner, owner, (owners, executor, first) => {
      const found = reauditors({ owners, executor, first })
      assert.ok(found.length <= 3)
      assert.ok(!found.some((one) => isAddressEqual(one, executor) || isAddressEqual(one, first)))
      const others = owners.filter((one) => one !== executor && one !== first)
      assert.deepEqual(found, others.slice(0, 3))
    }),
  )
})

test("property: the called begin with the candidates, whoever owns the panel (R20)", () => {
  const owner = fc.constantFrom(...["01", "02", "03", "04", "05"].map(account))
  fc.assert(
    fc.property(fc.array(owner, { minLength: 16, maxLength: 16 }), fc.nat(1_000), (owners, sample) => {
      const params = { seed: word("aa"), sample, executor: account("01"), owners }
      const candidates = candidateOwners(params)
      const called = candidateOwners({ ...params, count: CALLED })
      assert.deepEqual(called.slice(0, candidates.length), candidates)
      const pool = owners.filter((one) => one !== account("01")).length
      assert.equal(called.length, Math.min(CALLED, pool))
    }),
  )
})
