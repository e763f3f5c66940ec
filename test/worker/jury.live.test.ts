import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { classifier } from "../engine/support/graphs.ts"
import { startLocalStack } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 18n
const LAZY = join(import.meta.dirname, "../../examples/cheats/lazy.ts")

test("R28, R29: drawn jurors vote by commit and reveal, and a worker that made its answers up loses its collateral", async (t) => {
  const { client, startWorker, ready, until } = await startLocalStack(t)
  const cheat = startWorker({ backend: LAZY })
  const honest = [1, 2, 3].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(16), shardSize: 8, fee: FEE, auditRate: 5000 })
  await until("the cheat is slashed", () => cheat.events.some(({ kind }) => kind === "slashed"), 150)
  const votes = honest.flatMap(({ events }) => events).filter((event) => event.kind === "voted")
  assert.ok(votes.some(({ phase }) => phase === "commit"))
  assert.ok(votes.some(({ phase }) => phase === "reveal"))
  assert.ok(!honest.some(({ events }) => events.some(({ kind }) => kind === "slashed")), "no honest one loses anything")
  assert.ok(!cheat.events.some(({ kind }) => kind === "paid"), "nothing is earned by it")
  for (const { handle } of [cheat, ...honest]) await handle.stop()
})
