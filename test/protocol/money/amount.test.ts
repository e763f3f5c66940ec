import assert from "node:assert/strict"
import { test } from "node:test"
import { formatAmount } from "#protocol"

test("an amount for people has six places, and never reads as nothing where there is something", () => {
  assert.equal(formatAmount(1_234_567_890_123_456_789n), "1.234567 ASY")
  assert.equal(formatAmount(123n), "0.000000000000000123 ASY")
  assert.equal(formatAmount(0n), "0 ASY")
  assert.equal(formatAmount(15n * 10n ** 16n, "ETH"), "0.15 ETH")
})
