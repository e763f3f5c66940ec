import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import type { Address } from "viem"
import {
  bitsOf,
  packRange,
  packRanges,
  packVerifier,
  packVerifiers,
  parseRanges,
  parseVerifiers,
  unpackRange,
  unpackVerifier,
} from "#protocol"
import { account } from "../support.ts"

const accounts = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): Address => `0x${Buffer.from(bytes).toString("hex")}`)
const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })
const lower = (address: string) => address.toLowerCase()

test("property: range and verifier words are read as they were packed (R5, R24)", () => {
  fc.assert(
    fc.property(accounts, fc.integer({ min: 0, max: 2 ** 32 - 1 }), uint(64), (worker, small, large) => {
      const range = unpackRange(packRange({ worker, units: small, mask: large }))
      assert.deepEqual({ ...range, worker: lower(range.worker) }, { worker, units: small, mask: large })
      const total = unpackVerifier(packVerifier({ verifier: worker, count: small, units: large }))
      assert.deepEqual({ ...total, verifier: lower(total.verifier) }, { verifier: worker, count: small, units: large })
    }),
  )
})

test("property: the shards of a batch become ranges that a commit takes, and nothing is lost (R5)", () => {
  const shards = fc.uniqueArray(
    fc.record({
      shard: fc.integer({ min: 10, max: 73 }),
      worker: fc.nat(5),
      units: fc.bigInt({ min: 0n, max: 1000n }),
    }),
    { minLength: 1, maxLength: 64, selector: ({ shard }) => shard },
  )
  fc.assert(
    fc.property(shards, (given) => {
      const worked = given.map((shard) => ({ ...shard, worker: account(`0${shard.worker}`) }))
      const ranges = parseRanges(packRanges(10, worked))
      const seen = ranges.flatMap(({ worker, mask }) => bitsOf(mask).map((bit) => [bit + 10, lower(worker)]))
      const expected = worked.map(({ shard, worker }) => [shard, worker])
      const byShard = (a: unknown[], b: unknown[]) => Number(a[0]) - Number(b[0])
      assert.deepEqual(seen.sort(byShard), expected.sort(byShard))
      const total = (units: bigint[]) => units.reduce((a, b) => a + b, 0n)
      assert.equal(total(ranges.map(({ units }) => BigInt(units))), total(worked.map(({ units }) => units)))
      assert.equal(new Set(ranges.map(({ worker }) => worker)).size, ranges.length, "one range a worker")
    }),
  )
})

test("error: ranges that a commit would refuse are refused here", () => {
  const one = packRange({ worker: account("01"), units: 1, mask: 0b01n })
  const two = packRange({ worker: account("02"), units: 1, mask: 0b10n })
  assert.equal(parseRanges([one, two]).length, 2)
  assert.throws(() => parseRanges([]), { code: "E_RANGES_COUNT" })
  assert.throws(() => parseRanges(Array.from({ length: 65 }, () => one)), { code: "E_RANGES_COUNT" })
  assert.throws(() => parseRanges([two, one]), { code: "E_RANGES_ORDER" })
  const again = packRange({ worker: account("01"), units: 2, mask: 0b10n })
  assert.throws(() => parseRanges([one, again]), { code: "E_RANGES_ORDER" }, "the same worker twice")
  const overlap = packRange({ worker: account("02"), units: 1, mask: 0b11n })
  assert.throws(() => parseRanges([one, overlap]), { code: "E_RANGES_MASK" })
  assert.throws(() => parseRanges([packRange({ worker: account("01"), units: 1, mask: 0n })]), {
    code: "E_RANGES_MASK",
  })
})

test("behavior: verdicts become one word a verifier, ascending (R24)", () => {
  const words = packVerifiers([
    { verifier: account("0b"), units: 2 },
    { verifier: account("0a"), units: 3 },
    { verifier: account("0b"), units: 4 },
  ])
  const totals = parseVerifiers(words).map((total) => ({ ...total, verifier: lower(total.verifier) }))
  assert.deepEqual(totals, [
    { verifier: account("0a"), count: 1, units: 3n },
    { verifier: account("0b"), count: 2, units: 6n },
  ])
  assert.throws(() => parseVerifiers([...words].reverse()), { code: "E_VERIFIERS_ORDER" })
})
