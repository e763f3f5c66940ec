import assert from "node:assert/strict"
import test from "node:test"
import { checkTerms, minAuditBudget, type Terms, verdictCollateralUp } from "#protocol"
import { account, buildTerms, PRICES, TOKEN } from "../support.ts"

const params = { ...PRICES, seat: 1000n * TOKEN }
const now = 1_700_000_000n

function codes(changes: Partial<Terms>): string[] {
  return checkTerms({ terms: buildTerms(changes), params, now }).map(({ code }) => code)
}

test("behavior: good terms have no problem", () => {
  assert.deepEqual(codes({}), [])
  assert.deepEqual(codes({ auditBudget: minAuditBudget(buildTerms()) }), [])
})

test("error: each thing that posting would revert for is named before money moves", () => {
  assert.deepEqual(codes({ version: 0 }), ["E_TERMS_VERSION"])
  assert.deepEqual(codes({ kind: 1 }), ["E_TERMS_KIND"])
  assert.deepEqual(codes({ class: 1 }), ["E_TERMS_CLASS"])
  assert.deepEqual(codes({ coordinator: account("00") }), ["E_TERMS_COORDINATOR"])
  assert.deepEqual(codes({ tasks: 0 }), ["E_TERMS_TASKS"])
  assert.deepEqual(codes({ shardSize: 0 }), ["E_TERMS_SHARD_SIZE"])
  assert.deepEqual(codes({ shardSize: 1025 }), ["E_TERMS_SHARD_SIZE"])
  assert.deepEqual(codes({ maxUnits: 0 }), ["E_TERMS_UNITS"])
  assert.deepEqual(codes({ fee: 0n }), ["E_TERMS_FEE"])
  assert.deepEqual(codes({ auditRate: 0 }), ["E_TERMS_AUDIT_RATE"])
  assert.deepEqual(codes({ auditRate: 10_001 }), ["E_TERMS_AUDIT_RATE"])
  assert.deepEqual(codes({ deadline: now }), ["E_TERMS_DEADLINE"])
  assert.deepEqual(codes({ auditBudget: minAuditBudget(buildTerms()) - 1n }), ["E_TERMS_AUDIT_BUDGET"])
  assert.deepEqual(codes({ coordinatorFee: 2n ** 95n }), ["E_TERMS_ESCROW"])
  assert.deepEqual(codes({ valueAtRisk: 2n ** 85n }), ["E_TERMS_COLLATERAL"])
  assert.deepEqual(codes({ deadline: 2n ** 40n }), ["E_TERMS_DEADLINE"])
  const many = buildTerms({ tasks: 2 ** 22, shardSize: 1, fee: 1n, coordinatorFee: 0n, auditBase: 0n })
  assert.deepEqual(codes({ ...many, auditBudget: minAuditBudget(many) }), ["E_TERMS_TASKS"])
})

test("error: a verdict that could cost more than a seat is refused (R22)", () => {
  const seat = verdictCollateralUp(buildTerms(), PRICES)
  const ok = checkTerms({ terms: buildTerms(), params: { ...PRICES, seat }, now })
  const short = checkTerms({ terms: buildTerms(), params: { ...PRICES, seat: seat - 1n }, now })
  assert.deepEqual([ok.length, short.map(({ code }) => code)], [0, ["E_TERMS_SEAT"]])
})
