import assert from "node:assert/strict"
import test from "node:test"
import { type JobEvent, type JobStatus, refuseJob, stepJob, submittedJob } from "#protocol"

const times = { maxLease: 60, claimPeriod: 60 }
const refunded: JobEvent = { type: "refunded" }

function run(...events: [JobEvent, number][]): JobStatus {
  const start = submittedJob({ deadline: 1000, shards: 2 })
  return events.reduce((status, [event, now]) => stepJob(status, event, now, times), start)
}

test("behavior: a job whose every shard is final is refunded at once (R18)", () => {
  const final = run(
    [{ type: "posted" }, 1],
    [{ type: "batchOpened" }, 2],
    [{ type: "batchEnded", finalShards: 2, claimUntil: 0 }, 3],
  )
  assert.equal(final.state, "final")
  assert.equal(stepJob(final, refunded, 3, times).state, "refunded")
})

test("error: otherwise a refund waits for the longest lease and the claim period (R18)", () => {
  const closed = run([{ type: "posted" }, 1], [{ type: "closed" }, 100])
  assert.equal(refuseJob(closed, refunded, 220, times)?.from, 221)
  assert.equal(refuseJob(closed, refunded, 221, times), undefined)
  const late = run([{ type: "posted" }, 1])
  assert.equal(refuseJob(late, refunded, 1120, times)?.code, "E_STATE_TOO_EARLY")
  assert.equal(refuseJob(late, refunded, 1121, times), undefined)
})

test("error: a refund waits until nobody may claim shards of a forfeited batch (R18)", () => {
  const ended: JobEvent = { type: "batchEnded", finalShards: 0, claimUntil: 5000 }
  const status = run([{ type: "posted" }, 1], [{ type: "batchOpened" }, 2], [{ type: "closed" }, 3], [ended, 4940])
  assert.equal(refuseJob(status, refunded, 5000, times)?.from, 5001)
  assert.equal(refuseJob(status, refunded, 5001, times), undefined)
})

test("error: an open batch holds the refund", () => {
  const status = run([{ type: "posted" }, 1], [{ type: "batchOpened" }, 2], [{ type: "closed" }, 3])
  assert.equal(refuseJob(status, refunded, 9999, times)?.code, "E_STATE_HELD")
})

test("error: nothing is closed or refunded that was not posted, and nothing twice", () => {
  assert.equal(refuseJob(run(), { type: "closed" }, 1, times)?.code, "E_STATE_WRONG")
  assert.equal(refuseJob(run(), refunded, 9999, times)?.code, "E_STATE_WRONG")
  const done = run([{ type: "posted" }, 1], [{ type: "closed" }, 2], [refunded, 500])
  for (const event of [{ type: "posted" }, { type: "closed" }, refunded] as JobEvent[]) {
    assert.equal(refuseJob(done, event, 9999, times)?.code, "E_STATE_WRONG")
  }
})
