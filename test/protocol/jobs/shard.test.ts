import assert from "node:assert/strict"
import test from "node:test"
import { QUEUED_SHARD, refuseShard, type ShardEvent, type ShardStatus, stepShard } from "#protocol"
import { account } from "../support.ts"

const times = { claimPeriod: 60, maxLease: 60 }
const ann = account("0a")
const bob = account("0b")
const leased: [ShardEvent, number] = [{ type: "leased", worker: ann, start: 100, expiry: 160 }, 100]
const received: [ShardEvent, number] = [{ type: "received", worker: ann }, 130]
const committed: [ShardEvent, number] = [{ type: "committed", batchId: 1n, worker: ann }, 140]

function run(...events: [ShardEvent, number][]): ShardStatus {
  return events.reduce((status, [event, now]) => stepShard(status, event, now, times), QUEUED_SHARD)
}

test("behavior: queued, leased, received, committed, attested, final", () => {
  assert.equal(
    run(leased, received, committed, [{ type: "attested" }, 150], [{ type: "finalized" }, 160]).state,
    "final",
  )
})

test("error: two leases of a shard never overlap (R14)", () => {
  const expired = run(leased, [{ type: "expired" }, 161])
  const early: ShardEvent = { type: "leased", worker: bob, start: 159, expiry: 200 }
  assert.equal(refuseShard(expired, early, 161, times)?.code, "E_STATE_TOO_EARLY")
  assert.equal(refuseShard(expired, { ...early, start: 160 }, 161, times), undefined)
  const released = run(leased, [{ type: "released", worker: ann }, 120])
  assert.equal(refuseShard(released, { ...early, start: 120, expiry: 130 }, 120, times), undefined)
})

test("error: a lease is at most the longest one, and ends only when its time is over (R14)", () => {
  const long: ShardEvent = { type: "leased", worker: ann, start: 0, expiry: 61 }
  assert.equal(refuseShard(QUEUED_SHARD, long, 0, times)?.rule, "R14")
  assert.equal(refuseShard(run(leased), { type: "expired" }, 160, times)?.from, 161)
})

test("error: only the leaseholder delivers or gives back", () => {
  assert.equal(refuseShard(run(leased), { type: "received", worker: bob }, 130, times)?.code, "E_STATE_NOT_YOURS")
  assert.equal(refuseShard(run(leased), { type: "released", worker: bob }, 130, times)?.code, "E_STATE_NOT_YOURS")
})

test("behavior: a forfeited shard is its worker's alone until the claim period ends (R18)", () => {
  const reserved = run(leased, received, committed, [{ type: "unbound", by: "coordinator" }, 200])
  assert.equal(reserved.state, "void")
  const claim = (worker: typeof ann): ShardEvent => ({ type: "committed", batchId: 2n, worker })
  assert.equal(refuseShard(reserved, claim(bob), 210, times)?.code, "E_STATE_NOT_YOURS")
  assert.equal(stepShard(reserved, claim(ann), 210, times).batchId, 2n)
  assert.equal(refuseShard(reserved, { type: "unreserved" }, 260, times)?.from, 261)
  assert.equal(stepShard(reserved, { type: "unreserved" }, 261, times).state, "queued")
})

test("behavior: a wrong leaf queues the shard again at once; the coordinator's fault reserves it (R18, R29)", () => {
  const attested = run(leased, received, committed, [{ type: "attested" }, 150])
  const voided = (cause: "worker" | "coordinator" | "nobody", by: "worker" | "coordinator" = "coordinator") =>
    stepShard(attested, { type: "voided", cause, by }, 151, times)
  assert.equal(voided("worker").state, "queued")
  assert.equal(voided("nobody").state, "queued")
  assert.equal(voided("coordinator", "worker").state, "queued", "its own batch")
  // The mark lasts; the claim period begins when the batch ends without the range.
  assert.equal(voided("coordinator").state, "attested")
  const ended = stepShard(voided("coordinator"), { type: "unbound", by: "coordinator" }, 160, times)
  assert.deepEqual([ended.state, ended.reservedUntil], ["void", 220])
  assert.equal(stepShard(attested, { type: "unbound", by: "worker" }, 160, times).state, "queued")
})
