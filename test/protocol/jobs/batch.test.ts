import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { type BatchEvent, type BatchStatus, PLANNED_BATCH, paidRanges, refuseBatch, stepBatch } from "#protocol"

const times = { attestLimit: 60, window: 8 }

function run(...events: [BatchEvent, number][]): BatchStatus {
  return events.reduce((status, [event, now]) => stepBatch(status, event, now, times), PLANNED_BATCH)
}

const committed: [BatchEvent, number] = [{ type: "committed", ranges: 3 }, 100]
const drawn: [BatchEvent, number] = [{ type: "drawn" }, 103]
const attested: [BatchEvent, number] = [{ type: "attested", silent: 0b010n }, 120]

test("behavior: committed, drawn, attested, final (R24a)", () => {
  assert.equal(run(committed, drawn, attested, [{ type: "finalized" }, 129]).state, "final")
})

test("behavior: attest draws by itself (R19)", () => {
  assert.equal(run(committed, attested).state, "attested")
})

test("error: finalize waits for the window and for whatever holds the batch (R30)", () => {
  const finalized: BatchEvent = { type: "finalized" }
  assert.equal(refuseBatch(run(committed, drawn, attested), finalized, 128)?.code, "E_STATE_TOO_EARLY")
  assert.equal(refuseBatch(run(committed, drawn, attested), finalized, 128)?.from, 129)
  const held = run(committed, drawn, attested, [{ type: "held" }, 121])
  assert.equal(refuseBatch(held, finalized, 500)?.code, "E_STATE_HELD")
  assert.equal(refuseBatch(stepBatch(held, { type: "dropped", until: 0 }, 400, times), finalized, 500), undefined)
})

test("error: a batch is never withdrawn once its seed exists (R17)", () => {
  const status = run(committed)
  assert.equal(stepBatch(status, { type: "withdrawn", seedExists: false }, 101, times).state, "withdrawn")
  assert.equal(refuseBatch(status, { type: "withdrawn", seedExists: true }, 103)?.rule, "R17")
  assert.equal(refuseBatch(run(committed, drawn), { type: "withdrawn", seedExists: false }, 103)?.rule, "R24a")
})

test("error: attest until the limit, forfeit after it, never both at one time", () => {
  const status = run(committed, drawn)
  for (let now = 100; now < 200; now++) {
    const attest = refuseBatch(status, { type: "attested", silent: 0n }, now) === undefined
    const forfeit = refuseBatch(status, { type: "forfeited" }, now) === undefined
    assert.notEqual(attest, forfeit)
  }
})

test("behavior: voided and silent ranges are not paid, whoever voids them how often", () => {
  const voided: [BatchEvent, number] = [{ type: "rangeVoided", range: 2 }, 121]
  assert.equal(paidRanges(run(committed, drawn, attested, voided, voided)), 0b001n)
  assert.equal(refuseBatch(run(committed), { type: "rangeVoided", range: 3 }, 122)?.rule, "R5")
  assert.equal(refuseBatch(run(committed), { type: "rangeFrozen", range: -1 }, 122)?.rule, "R5")
})

test("behavior: a frozen range holds its batch until the dispute is over (R24a, R27)", () => {
  const frozen = run(committed, drawn, attested, [{ type: "rangeFrozen", range: 0 }, 121])
  assert.equal(refuseBatch(frozen, { type: "finalized" }, 500)?.code, "E_STATE_HELD")
  const over = stepBatch(frozen, { type: "dropped", until: 0 }, 300, times)
  assert.equal(stepBatch(over, { type: "finalized" }, 300, times).state, "final")
})

test("behavior: an answer at the last moment lengthens the window, never shortens it (R26)", () => {
  const held = run(committed, drawn, attested, [{ type: "held" }, 128])
  assert.equal(stepBatch(held, { type: "dropped", until: 148 }, 128, times).clock, 148)
  assert.equal(stepBatch(held, { type: "dropped", until: 100 }, 128, times).clock, 128)
  const early = run(committed, [{ type: "held" }, 101])
  assert.equal(stepBatch(early, { type: "dropped", until: 999 }, 102, times).clock, 160, "the attest limit stays")
})

test("property: an ended batch takes no event at all, whatever came before", () => {
  const anyEvent = fc.oneof(
    fc.constantFrom<BatchEvent>(
      { type: "drawn" },
      { type: "finalized" },
      { type: "forfeited" },
      { type: "held" },
      { type: "dropped", until: 0 },
      { type: "withdrawn", seedExists: false },
    ),
    fc.bigInt({ min: 0n, max: 7n }).map((silent): BatchEvent => ({ type: "attested", silent })),
    fc.nat(3).map((range): BatchEvent => ({ type: "rangeVoided", range })),
    fc.nat(3).map((range): BatchEvent => ({ type: "rangeFrozen", range })),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(anyEvent, fc.nat(50)), { maxLength: 40 }), (events) => {
      let status = run(committed)
      let now = 100
      for (const [event, wait] of events) {
        now += wait
        const ended = ["final", "withdrawn", "forfeited"].includes(status.state)
        const refusal = refuseBatch(status, event, now)
        if (ended) assert.notEqual(refusal, undefined)
        if (refusal === undefined) status = stepBatch(status, event, now, times)
        else assert.throws(() => stepBatch(status, event, now, times), { code: refusal.code })
        assert.ok(status.held >= 0)
      }
    }),
  )
})
