import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { type Address, encodeAbiParameters, keccak256 } from "viem"
import { modelIdOf, runNonce, splitRunNonce } from "#protocol"

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })

test("property: a run's nonce is its model and its index, and tells both", () => {
  fc.assert(
    fc.property(uint32, uint32, (model, index) => {
      const nonce = runNonce({ model, index })
      assert.ok(nonce < 1n << 64n)
      assert.deepEqual(splitRunNonce(nonce), { model, index })
    }),
  )
})

test("behavior: a model's id is the ModelRegistry's abi.encode, hashed", () => {
  const [models, owner]: Address[] = [`0x${"a1".repeat(20)}`, `0x${"b2".repeat(20)}`]
  const words = [{ type: "uint256" }, { type: "address" }, { type: "address" }, { type: "uint32" }] as const
  const encoded = encodeAbiParameters(words, [31_337n, models!, owner!, 7])
  assert.equal(modelIdOf({ chainId: 31_337, models: models!, owner: owner!, nonce: 7 }), keccak256(encoded))
})
