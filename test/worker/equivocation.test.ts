import assert from "node:assert/strict"
import { test } from "node:test"
import type { Address, Hex } from "viem"
import { createLeaseWatch, type LeaseWatchDeps } from "../../worker/leases/equivocation.ts"
import type { LeaseRecord } from "../../worker/records/record.ts"

const ME: Address = `0x${"aa".repeat(20)}`
const FRIEND: Address = `0x${"bb".repeat(20)}`
const JOB = 7n
const BATCH = JOB << 32n
const SIGNATURE: Hex = `0x${"11".repeat(65)}`

type Leased = { start: bigint; worker: Address; state?: LeaseRecord["state"] }

/** A worker that had shard 3, and a batch in which shard 3 is another's by a lease of its own. */
async function watch(mine: Leased, other: Leased) {
  const lease = ({ start, worker }: Leased) => ({ jobId: JOB, shard: 3, worker, start, expiry: start + 60n })
  const sent: { functionName: string; args: readonly unknown[] }[] = []
  const record = { state: mine.state ?? "stored", bundle: { lease: lease(mine), signature: SIGNATURE } }
  const range = (BigInt(FRIEND) << 96n) | (1n << 64n) | 1n
  const shard = { shard: 3, lease: lease(other), leaseSignature: SIGNATURE }
  const deps = {
    chain: { jury: { address: FRIEND, abi: [], read: { claimDeposit: async () => 5n } } },
    sender: { send: async (call: (typeof sent)[number]) => sent.push(call) },
    events: {
      emit: () => {},
      wait: (_: string, __: string, code: string, text: string) => assert.fail(`${code} ${text}`),
    },
    batches: { batch: async () => ({ batchId: BATCH, url: "", batch: { firstShard: 3, ranges: [range] } }) },
    records: { all: () => [record] },
    account: ME,
    peerOf: () => ({ ask: async () => ({ batchId: BATCH, jobId: JOB, shards: [shard], verdicts: [] }) }),
    signal: new AbortController().signal,
  } as unknown as LeaseWatchDeps
  const leaseWatch = createLeaseWatch(deps)
  const note = (eventName: string, args: object) => leaseWatch.note({ eventName, args } as never)
  note("BatchAttested", { batchId: BATCH })
  await new Promise((resolve) => setImmediate(resolve))
  return { sent, leaseWatch, note }
}

test("R14: a shard of ours in another's name, by a lease that overlaps, is claimed with the earlier lease first", async () => {
  const { sent } = await watch({ start: 100n, worker: ME }, { start: 130n, worker: FRIEND })
  assert.deepEqual(
    sent.map(({ functionName }) => functionName),
    ["claimEquivocation"],
  )
  const [first, , second] = sent[0]!.args as [{ worker: Address }, Hex, { worker: Address }]
  assert.deepEqual([first.worker, second.worker], [ME, FRIEND])
  const later = await watch({ start: 130n, worker: ME }, { start: 100n, worker: FRIEND })
  assert.equal((later.sent[0]!.args[0] as { worker: Address }).worker, FRIEND, "whoever is ours")
})

test("R14: a lease that began when ours was over, or that we gave back, is nobody's fault", async () => {
  assert.deepEqual((await watch({ start: 100n, worker: ME }, { start: 160n, worker: FRIEND })).sent, [])
  const released = await watch({ start: 100n, worker: ME, state: "released" }, { start: 130n, worker: FRIEND })
  assert.deepEqual(released.sent, [])
})

test("R14: what nobody answered is settled once its clock is over, and only then", async () => {
  const { sent, leaseWatch, note } = await watch({ start: 100n, worker: ME }, { start: 160n, worker: FRIEND })
  note("EquivocationClaimed", { claimId: SIGNATURE, until: 200 })
  note("EquivocationClaimed", { claimId: "0x22", until: 200 })
  note("EquivocationAnswered", { claimId: "0x22" })
  leaseWatch.onHead({ number: 1n, timestamp: 200n })
  assert.deepEqual(sent, [])
  leaseWatch.onHead({ number: 2n, timestamp: 201n })
  leaseWatch.onHead({ number: 3n, timestamp: 202n })
  assert.deepEqual(
    sent.map(({ functionName, args }) => [functionName, args[0]]),
    [["settleEquivocation", SIGNATURE]],
  )
})
