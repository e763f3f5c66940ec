import assert from "node:assert/strict"
import { test } from "node:test"
import { classifier } from "../engine/support/graphs.ts"
import { freePort, startLocalStack, type TestWorker } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 18n

const SHORT_LEASES = { ASSAY_LEASE_SECONDS: "15" }

const paidAs = (role: string, workers: TestWorker[]) =>
  workers
    .flatMap(({ events }) => events)
    .reduce((total, event) => (event.kind === "paid" && event.role === role ? total + event.amount : total), 0n)

test("R18: workers of a coordinator that commits nothing commit for themselves, are audited, and paid", async (t) => {
  const { client, startWorker, silenceCoordinator, ready, until } = await startLocalStack(t, SHORT_LEASES)
  const options = async () => ({ publicUrl: `http://127.0.0.1:${await freePort()}`, selfCommitMargin: 5 })
  const workers = [startWorker(await options()), startWorker(await options())]
  const verifiers = [startWorker({ verifyOnly: true }), startWorker({ verifyOnly: true })]
  const all = [...workers, ...verifiers]
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(16), shardSize: 8, fee: FEE })
  await until("a lease", () => workers.some(({ events }) => events.some(({ kind }) => kind === "leased")))
  await silenceCoordinator()
  await until("the work is paid", () => paidAs("worker", workers) === 16n * FEE, 180)
  const commits = workers.flatMap(({ events }) => events).filter((event) => event.kind === "committed")
  assert.ok(commits.length > 0)
  assert.ok(commits.every(({ by }) => by === "self"))
  assert.ok(paidAs("verifier", all) > 0n)
  for (const { handle } of all) await handle.stop()
})
