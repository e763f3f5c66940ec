import assert from "node:assert/strict"
import { test } from "node:test"
import type { Address } from "viem"
import { PAIR_SCHEME, rootFromPath, SILENT_VERDICT, treePath, unpackVerifier, verdictLeafHash } from "#protocol"
import { assignSamples } from "../../../coordinator/audits/assign.ts"
import { attestMargin, callTime, patienceOf } from "../../../coordinator/audits/patience.ts"
import { verdictSet } from "../../../coordinator/audits/verdictSet.ts"
import { chooseMismatches } from "../../../coordinator/challenges/mismatch.ts"

const A = "0x00000000000000000000000000000000000000aa"
const B = "0x00000000000000000000000000000000000000bb"
const C = "0x00000000000000000000000000000000000000cc"

test("behavior: samples are spread over those who are there; who is not heard of gets only what nobody else can", () => {
  const samples = [0, 1, 2, 3].map((sample) => ({ sample, candidates: [A, B, C] as const }))
  const spread = assignSamples(samples, new Set([A, B]))
  assert.deepEqual([...spread.values()], [A, B, A, B])
  assert.deepEqual([...assignSamples([{ sample: 0, candidates: [C] }], new Set([A])).values()], [C])
  assert.equal(assignSamples([{ sample: 0, candidates: [] }], new Set()).size, 0)
})

test("R20: who is called was waited for, has a third of the limit, and is not missed by a coordinator that is busy", () => {
  for (const limit of [60, 600, 86_400]) {
    const { from, until } = callTime(limit)
    assert.ok(from > patienceOf(limit))
    assert.ok(until - from >= limit / 6)
    assert.ok(until + limit / 3 + attestMargin(limit) <= limit)
  }
})

test("R20: three candidates can be waited for before the attestation must go out", () => {
  for (const limit of [60, 600, 86_400]) assert.ok(3 * patienceOf(limit) + attestMargin(limit) <= limit)
})

const verdict = (sample: number, verifier: Address, ms: number) => ({
  sample,
  verifier,
  units: 2,
  verdictHash: `0x${(sample + 1).toString(16).padStart(2, "0").repeat(32)}` as const,
  receivedAt: new Date(ms),
})

test("R24: the first verdict of each sample stands, a sample without one is SILENT and names its range", () => {
  const drawn = [
    { sample: 1, range: 3 },
    { sample: 0, range: 0 },
    { sample: 2, range: 0 },
  ]
  const set = verdictSet(drawn, [verdict(2, B, 5), verdict(0, B, 9), verdict(0, A, 7)])
  assert.equal(set.used[0]?.verifier, A)
  assert.equal(set.used[1], undefined)
  assert.equal(set.silentRanges, 0b1000n)
  assert.deepEqual(
    set.verifiers.map(unpackVerifier).map(({ count, units }) => ({ count, units })),
    [
      { count: 1, units: 2n },
      { count: 1, units: 2n },
    ],
  )
  const leaf = verdictLeafHash(1, SILENT_VERDICT)
  const { root, depth } = set.tree
  assert.equal(rootFromPath(PAIR_SCHEME, { leaf, position: 1, depth, path: treePath(set.tree, 1) }), root)
})

test("behavior: verdicts that came at the same time are chosen alike by every replica", () => {
  const drawn = [{ sample: 0, range: 0 }]
  const one = verdictSet(drawn, [verdict(0, B, 5), verdict(0, A, 5)])
  const other = verdictSet(drawn, [verdict(0, A, 5), verdict(0, B, 5)])
  assert.equal(one.tree.root, other.tree.root)
})

test("R27: two accusers at once a range, a refuted range no more, a lost dispute makes room for the next", () => {
  const found = (sample: number, verifier: Address, range = 0) => ({ sample, range, verifier, receivedAtMs: sample })
  const all = [found(0, A), found(1, A), found(2, B), found(3, C), found(4, A, 1)]
  assert.deepEqual(
    chooseMismatches(all, []).map(({ sample }) => sample),
    [0, 2, 4],
  )
  const open = { sample: 0, range: 0, verifier: A, outcome: null } as const
  assert.deepEqual(
    chooseMismatches(all.slice(0, 4), [open]).map(({ sample }) => sample),
    [2],
  )
  assert.deepEqual(chooseMismatches(all.slice(0, 4), [{ ...open, outcome: "refuted" }]), [])
  assert.deepEqual(
    chooseMismatches(all.slice(0, 4), [{ ...open, outcome: "upheld" }]).map(({ sample }) => sample),
    [2, 3],
  )
})
