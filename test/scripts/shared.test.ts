import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { describeError, isUsageError } from "../../scripts/shared/errors.ts"
import { withLock } from "../../scripts/shared/lockFile.ts"
import { amount } from "../../scripts/shared/output.ts"
import { parseAddress, parseJobId, parsePercent, parseTokens } from "../../scripts/shared/parse.ts"
import { addTallies, tallyLine } from "../../scripts/shared/tally.ts"
import { count, describeWorkerEvent, emptyTotals, renderTotals } from "../../scripts/shared/workerView.ts"
import { parseSubject } from "../../scripts/why.ts"
import { tempDir } from "./support/assay.ts"

test("behavior: an amount is its exact decimal string and a form for people", () => {
  assert.deepEqual(amount("fee", 10n ** 18n), { fee: "1000000000000000000", feeFormatted: "1 ASY" })
})

test("args: percentages are basis points", () => {
  assert.deepEqual(["5%", "5", "0.01%", "100 %"].map(parsePercent), [500, 500, 1, 10_000])
  for (const text of ["0", "0.001%", "100.01", "five", "-1", ""])
    assert.throws(() => parsePercent(text), { code: "E_AUDIT_RATE" })
})

test("args: amounts are tokens with up to 18 decimals and fit the contracts' 96 bits", () => {
  assert.equal(parseTokens("1.5"), 1_500_000_000_000_000_000n)
  for (const text of ["1e18", "1,5", "-1", "0.1234567890123456789", "99999999999999"]) {
    assert.throws(() => parseTokens(text), { code: "E_AMOUNT_INVALID" }, text)
  }
})

test("args: ids are read as hex and as decimal, and no more than 192 bits", () => {
  assert.equal(parseJobId("0xff"), parseJobId("255"))
  assert.throws(() => parseJobId(`0x1${"0".repeat(48)}`), { code: "E_BAD_JOB_ID" })
  assert.throws(() => parseAddress("0x12"), { code: "E_ADDRESS_INVALID" })
  assert.deepEqual(parseSubject("task", "0x10/3"), { kind: "task", jobId: 16n, index: 3 })
  assert.throws(() => parseSubject("task", "0x10"), { code: "E_BAD_TASK" })
})

test("behavior: what a machine or a chain throws becomes a code and what to do", () => {
  const full = Object.assign(new Error("no space"), { code: "ENOSPC" })
  assert.equal(describeError(new Error("write failed", { cause: full })).code, "E_DISK_FULL")
  const down = Object.assign(new Error("fetch failed"), { name: "HttpRequestError", url: "http://x" })
  assert.match(describeError(down).message, /^http:\/\/x does not answer/)
  assert.equal(describeError(AbortSignal.abort().reason).code, "E_INTERRUPTED")
  assert.equal(describeError(new Error("bug")).code, "E_INTERNAL")
})

test("behavior: an error's remedy is part of its one line, and bad input is status 2", () => {
  const error = Object.assign(new Error("the input is wrong\nvery"), {
    detail: { code: "E_INPUT_SHAPE", remedy: "reshape it" },
  })
  assert.equal(describeError(error).message, "the input is wrong very: reshape it")
  assert.equal(isUsageError(error), true)
  assert.equal(isUsageError(Object.assign(new Error(), { detail: { code: "E_COORDINATOR_DOWN" } })), false)
})

test("behavior: the lock of a process that died is taken over", async (t) => {
  const path = join(await tempDir(t), "lock")
  // No process has this number: Linux ends at 2^22, others before.
  await writeFile(path, String(2 ** 30))
  assert.equal(await withLock(path, 2000, async () => "done"), "done")
})

test("behavior: two holders of one lock come one after the other", async (t) => {
  const path = join(await tempDir(t), "lock")
  let inside = 0
  const work = async () => {
    inside++
    assert.equal(inside, 1)
    await new Promise((resolve) => setImmediate(resolve))
    inside--
  }
  await Promise.all([withLock(path, 5000, work), withLock(path, 5000, work)])
})

test("behavior: tallies of suites add up to the closing line", () => {
  const sum = addTallies([
    { passed: 2, failed: 0, skipped: 1 },
    { passed: 3, failed: 1, skipped: 0 },
  ])
  assert.equal(tallyLine(sum), "5 passed, 1 failed, 1 skipped")
})

test("behavior: the worker's table counts what waits until it is paid, and shows what was refused", () => {
  const at = "2026-01-01T00:00:00.000Z"
  const totals = emptyTotals()
  const leaseHash = `0x${"11".repeat(32)}` as const
  count(totals, { at, kind: "leased", jobId: 7n, shard: 0, tasks: 8, expiry: 1 })
  assert.equal(totals.running.size, 1)
  count(totals, { at, kind: "receipt", jobId: 7n, shard: 0, leaseHash, units: 8 })
  assert.deepEqual([totals.running.size, totals.waiting.size], [0, 1])
  count(totals, { at, kind: "paid", batchId: 8n << 32n, role: "worker", amount: 1n })
  assert.equal(totals.waiting.size, 1, "another job's pay settles nothing of this one")
  count(totals, { at, kind: "paid", batchId: 7n << 32n, role: "worker", amount: 2n })
  assert.deepEqual([totals.waiting.size, totals.paid], [0, 3n])
  count(totals, { at, kind: "refused", code: "WORKER_LIMIT", text: "enough" })
  const shown = renderTotals(totals, { account: "0xabc", role: "worker" })
  assert.match(shown, /WORKER_LIMIT: enough/)
  assert.match(describeWorkerEvent({ at, kind: "slashed", amount: 5n, code: "X", text: "y" }), /SLASHED/)
})
