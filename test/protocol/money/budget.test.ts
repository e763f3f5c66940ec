import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import type { Address } from "viem"
import {
  auditPay,
  auditReserve,
  auditUnitRateUp,
  escrow,
  feeEscrow,
  MoneyError,
  minAuditBudget,
  sampleCount,
  settle,
  shardCount,
  splitSlash,
} from "#protocol"
import { account, buildTerms } from "../support.ts"

const termsOf = fc
  .record({
    tasks: fc.integer({ min: 1, max: 5000 }),
    shardSize: fc.integer({ min: 1, max: 1024 }),
    fee: fc.bigInt({ min: 0n, max: 2n ** 80n }),
    maxUnits: fc.integer({ min: 1, max: 1000 }),
    auditRate: fc.integer({ min: 1, max: 10_000 }),
    auditRatio: fc.integer({ min: 0, max: 65_535 }),
    auditBase: fc.bigInt({ min: 0n, max: 2n ** 80n }),
    coordinatorFee: fc.bigInt({ min: 0n, max: 2n ** 80n }),
  })
  .map((changes) => buildTerms(changes))

test("behavior: the audit rate of a unit rounds up once, so that totals are exact (R23)", () => {
  assert.equal(auditUnitRateUp({ fee: 3n, auditRatio: 5000 }), 2n)
  assert.equal(auditPay(buildTerms({ fee: 3n, auditRatio: 5000, auditBase: 10n }), 7n), 24n)
})

test("property: the least budget pays for every way to cut a job's shards into batches (R9)", () => {
  fc.assert(
    fc.property(termsOf, fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 80 }), (terms, cuts) => {
      let left = minAuditBudget(terms)
      let shard = 0
      for (let i = 0; shard < shardCount(terms); i++) {
        const shards = Math.min(cuts[i % cuts.length]!, shardCount(terms) - shard)
        const size = Math.min(terms.tasks, (shard + shards) * terms.shardSize) - shard * terms.shardSize
        left -= auditReserve(terms, sampleCount(terms.auditRate, size))
        assert.ok(left >= 0n, "a commit found the budget empty")
        shard += shards
      }
    }),
  )
})

/** Ranges of distinct workers and verdicts of up to 16 verifiers that cover k samples, none above u units. */
const batchOf = fc
  .record({
    terms: termsOf,
    units: fc.array(fc.integer({ min: 0, max: 64 }), { minLength: 1, maxLength: 64 }),
    samples: fc.array(
      fc.record({ verifier: fc.integer({ min: 0, max: 15 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      {
        minLength: 1,
        maxLength: 60,
      },
    ),
    unpaid: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    selfCommitted: fc.boolean(),
    barred: fc.integer({ min: 0, max: 15 }),
  })
  .map(({ terms, units, samples, ...rest }) => {
    const totals = new Map<number, { count: number; units: bigint }>()
    for (const { verifier, share } of samples) {
      const total = totals.get(verifier) ?? { count: 0, units: 0n }
      totals.set(verifier, { count: total.count + 1, units: total.units + BigInt(Math.floor(share * terms.maxUnits)) })
    }
    const address = (i: number): Address => `0x${(i + 1).toString(16).padStart(40, "0")}`
    return {
      terms,
      ranges: units.map((tasks, i) => ({ worker: address(i), units: tasks * terms.maxUnits, mask: 1n << BigInt(i) })),
      verifiers: [...totals].map(([i, total]) => ({ verifier: address(i), ...total })),
      samples: samples.length,
      unpaid: rest.unpaid,
      selfCommitted: rest.selfCommitted,
      barred: new Set([address(rest.barred)]),
    }
  })

test("property: what finalize credits comes from the escrow and the reserve, to the unit (R23, R30)", () => {
  fc.assert(
    fc.property(batchOf, (batch) => {
      const settled = settle(batch)
      const sum = (pays: readonly { amount: bigint }[]) => pays.reduce((total, { amount }) => total + amount, 0n)
      assert.equal(sum(settled.workers) + settled.coordinator, settled.feesSpent)
      assert.equal(sum(settled.verifiers), settled.auditSpent)
      assert.equal(settled.auditSpent + settled.auditReturned, auditReserve(batch.terms, batch.samples))
      assert.ok(settled.auditReturned >= 0n)
      const units = batch.ranges.reduce((total, range) => total + BigInt(range.units), 0n)
      const locked = units * (batch.terms.fee + batch.terms.coordinatorFee)
      assert.ok(settled.feesSpent <= locked, "more fees were spent than these units put into the escrow")
      for (const { account: paid } of settled.verifiers) assert.equal(batch.barred.has(paid), false)
    }),
  )
})

test("behavior: voided ranges are not paid, and a worker that commits for itself earns no coordinator fee (R18, R29)", () => {
  const terms = buildTerms({ fee: 10n, coordinatorFee: 1n })
  const ranges = [
    { worker: account("0a"), units: 3, mask: 1n },
    { worker: account("0b"), units: 4, mask: 2n },
  ]
  const batch = { terms, ranges, verifiers: [], samples: 1, unpaid: 1n, selfCommitted: false }
  assert.deepEqual(settle(batch).workers, [{ account: account("0b"), amount: 40n }])
  assert.equal(settle(batch).coordinator, 4n)
  assert.equal(settle({ ...batch, selfCommitted: true }).coordinator, 0n)
})

test("behavior: struck verifiers are not paid, and their pay stays in the audit budget (R20)", () => {
  const terms = buildTerms({ fee: 10n, auditRatio: 10_000, auditBase: 1n, maxUnits: 1 })
  const verifiers = ["0a", "0b"].map((byte) => ({ verifier: account(byte), count: 1, units: 1n }))
  const settled = settle({ terms, ranges: [], verifiers, samples: 2, unpaid: 0n, struck: 0b01n, selfCommitted: false })
  assert.deepEqual(settled.verifiers, [{ account: account("0b"), amount: 11n }])
  assert.equal(settled.auditReturned, 11n)
})

test("error: verifier totals beyond the reserve are refused rather than paid", () => {
  const terms = buildTerms({ maxUnits: 2 })
  const verifiers = [{ verifier: account("0a"), count: 1, units: 3n }]
  const batch = { terms, ranges: [], verifiers, samples: 1, unpaid: 0n, selfCommitted: false }
  assert.throws(
    () => settle(batch),
    (error) => error instanceof MoneyError && error.code === "E_AUDIT_OVER_RESERVE",
  )
})

test("property: an escrow is its fees and its budget; a slash is what burns and what remains (R9, R12)", () => {
  fc.assert(
    fc.property(
      termsOf,
      fc.bigInt({ min: 0n, max: 2n ** 96n }),
      fc.integer({ min: 5000, max: 10_000 }),
      (terms, amount, b) => {
        assert.equal(escrow(terms), feeEscrow(terms) + terms.auditBudget)
        const { burned, rest } = splitSlash(amount, b)
        assert.equal(burned + rest, amount)
        assert.ok(rest >= 0n && burned * 10_000n >= amount * BigInt(b))
      },
    ),
  )
})
