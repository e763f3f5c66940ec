import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import type { WatchEvent } from "#client"
import { challengesAbi, isCodedError } from "#protocol"
import { classifier } from "../../engine/support/graphs.ts"
import { startLocalStack } from "../../worker/support/localStack.ts"
import { distinctTasks } from "../../worker/support/tasks.ts"

const FEE = 10n ** 18n
const FORGER = join(import.meta.dirname, "../../../examples/cheats/forger.ts")

test("R27: where worker, verifiers and panel are one party, one watchtower refutes them all the same", async (t) => {
  const { client, startWorker, ready, until } = await startLocalStack(t)
  const cheat = startWorker({ backend: FORGER })
  const friends = [1, 2, 3].map(() => startWorker({ backend: FORGER, verifyOnly: true, seats: 6 }))
  await ready()
  const events: WatchEvent[] = []
  const stop = new AbortController()
  const watching = client.watch({ rate: 1, signal: stop.signal, onEvent: (event) => events.push(event) })
  await client.post({ model: classifier(), tasks: distinctTasks(8), shardSize: 8, fee: FEE, auditRate: 1_000 })
  const refuted = () => events.find((event) => event.kind === "checked" && event.result.outcome === "refuted")
  await until("the watchtower has won", () => refuted() !== undefined, 180)
  stop.abort()
  const { batches, wrong } = await watching
  assert.equal(batches, 1)
  assert.deepEqual([wrong.length, wrong[0]!.reason], [1, "element"])
  assert.notEqual(wrong[0]!.claimed, wrong[0]!.computed)
  await until("the cheat is slashed", () => cheat.events.some(({ kind }) => kind === "slashed"), 60)
  assert.ok(!cheat.events.some(({ kind }) => kind === "paid"), "nothing is earned by it")
  for (const { handle } of [cheat, ...friends]) await handle.stop()
})

test("R12: of a public job a stranger's watchtower computes again, refutes, and is given the bounty; others it cannot see", async (t) => {
  const { client, stranger, startWorker, ready, until } = await startLocalStack(t)
  const cheat = startWorker({ backend: FORGER })
  const friends = [1, 2, 3].map(() => startWorker({ backend: FORGER, verifyOnly: true, seats: 6 }))
  await ready()
  const { client: watcher, address } = await stranger()
  const events: WatchEvent[] = []
  const stop = new AbortController()
  const watching = watcher.watch({ rate: 1, signal: stop.signal, onEvent: (event) => events.push(event) })
  const work = { model: classifier(), tasks: distinctTasks(8), shardSize: 8, fee: FEE, auditRate: 1_000 }
  const hidden = await client.post(work)
  const open = await client.post({ ...work, isPublic: true })
  // Verdicts are blind: nobody is given a salt while they can still be copied.
  await assert.rejects(watcher.dispute({ jobId: hidden.jobId, taskIndex: 0 }), isCoded("E_NO_ACCESS"))
  const refuted = () => events.find((event) => event.kind === "checked" && event.result.outcome === "refuted")
  await until("the watchtower has won", () => refuted() !== undefined, 180)
  stop.abort()
  const { batches, wrong } = await watching
  assert.equal(batches, 1, "the hidden job's batch is not looked at")
  assert.deepEqual([wrong.length, wrong[0]!.reason], [1, "element"])
  await until("the bounty is booked", async () => {
    const entries = (await watcher.payouts(address)).flatMap((payout) => payout.entries)
    return entries.some(({ kind, amount }) => kind === "reward" && amount > 0n)
  })
  await until("the cheat is slashed", () => cheat.events.some(({ kind }) => kind === "slashed"), 60)
  const { batches: seen } = await client.job(open.jobId)
  assert.ok(
    seen.some(({ batchId }) => events.some((event) => event.batchId === batchId)),
    "it was the public job's batch",
  )
  for (const { handle } of [cheat, ...friends]) await handle.stop()
})

const isCoded = (code: string) => (error: unknown) => isCodedError(error) && error.code === code

test("R26: where the coordinator serves nothing, the watchtower demands a leaf on chain", async (t) => {
  const { client, deployment, startWorker, ready, until, stopCoordinator } = await startLocalStack(t)
  for (let i = 0; i < 4; i++) startWorker({ seats: 4 })
  await ready()
  const { jobId } = await client.post({ model: classifier(), tasks: distinctTasks(8), shardSize: 8, fee: FEE })
  await until("the batch is attested", async () => (await client.job(jobId)).counts.attested === 1)
  await stopCoordinator()
  const events: WatchEvent[] = []
  const watched = await client.watch({ rate: 1, once: true, onEvent: (event) => events.push(event) })
  assert.deepEqual([watched.batches, watched.checked], [1, 0])
  assert.ok(events.some((event) => event.kind === "failed" && event.code === "E_COORDINATOR_DOWN"))
  const demanded = events.find((event) => event.kind === "demanded")!
  const opened = await client.chain.getContractEvents({
    address: deployment.contracts.challenges,
    abi: challengesAbi,
    eventName: "DemandOpened",
    fromBlock: 0n,
  })
  assert.deepEqual(
    opened.map(({ args }) => args.batchId),
    [demanded.batchId],
    "it comes, or costs the coordinator its bond",
  )
  // A second watchtower finds the demand made.
  await client.watch({ rate: 1, once: true })
})
