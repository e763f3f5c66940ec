import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { collateralUp, detectionBpsDown, verdictCollateralUp } from "#protocol"
import { buildTerms, PRICES, TOKEN } from "../support.ts"

test("behavior: d of a third is 2963 basis points, rounded down (R11)", () => {
  assert.equal(detectionBpsDown(3333), 2963n)
  assert.equal(detectionBpsDown(0), 10_000n)
})

test("behavior: at p = 5 %, r = 1/3, b = 1/2 a range locks 135 task fees (R11)", () => {
  const fees = collateralUp(buildTerms({ auditRate: 500 }), PRICES) / TOKEN
  assert.equal(fees, 134n, "134.99 fees: d rounds down, so a hair under 135 of the exact third")
})

test("behavior: a range never locks less than the minimum", () => {
  assert.equal(collateralUp(buildTerms({ fee: 1n, valueAtRisk: 0n }), PRICES), PRICES.minCollateral)
})

test("property: C x p x d x b covers the gain, and a unit less would not (R11)", () => {
  const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })
  fc.assert(
    fc.property(
      uint(90),
      uint(90),
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 65_535 }),
      (F, G, p, u) => {
        const terms = buildTerms({ fee: F, valueAtRisk: G, auditRate: p, maxUnits: u })
        const locked = collateralUp(terms, { ...PRICES, minCollateral: 0n })
        const gain = (BigInt(u) * F + G) * 10n ** 12n
        const price = BigInt(p) * 2963n * 5000n
        assert.ok(locked * price >= gain)
        assert.ok(locked === 0n || (locked - 1n) * price < gain)
      },
    ),
  )
})

test("behavior: a false verdict costs the audit fee over p_v d b, rounded up (R22)", () => {
  const terms = buildTerms({ maxUnits: 3, fee: 7n, auditRatio: 3333, auditBase: 11n })
  // A = ceil(7 x 0.3333) = 3; fee of an audit = 3 x 3 + 11 = 20.
  assert.equal(verdictCollateralUp(terms, PRICES), (20n * 10n ** 12n + 14_815_000_000n - 1n) / 14_815_000_000n)
})
