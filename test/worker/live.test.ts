import assert from "node:assert/strict"
import { test } from "node:test"
import { classifier } from "../engine/support/graphs.ts"
import { startLocalStack, type TestWorker } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const sum = (workers: TestWorker[], kind: "paid", role: string) =>
  workers
    .flatMap(({ events }) => events)
    .reduce((total, event) => (event.kind === kind && event.role === role ? total + event.amount : total), 0n)

test("behavior: workers join, lease, compute, audit one another and are paid what the chain owes", async (t) => {
  const { client, startWorker, ready, until } = await startLocalStack(t)
  const workers = [startWorker(), startWorker(), startWorker({ verifyOnly: true }), startWorker({ verifyOnly: true })]
  await ready()
  const { jobId } = await client.post({ model: classifier(), tasks: distinctTasks(24), shardSize: 8, fee: 10n ** 18n })
  await until("all work is paid", () => sum(workers, "paid", "worker") === 24n * 10n ** 18n)
  await until("audits are paid", () => sum(workers, "paid", "verifier") > 0n)
  const results = await client.results(jobId)
  assert.equal(results.length, 24)
  for (const { handle } of workers) await handle.stop()
})
