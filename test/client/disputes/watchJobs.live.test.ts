import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import type { WatchEvent } from "#client"
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
