import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { classifier } from "../engine/support/graphs.ts"
import { freePort, startLocalStack } from "./support/localStack.ts"
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

test("R18, R20: a cheat that commits for itself is found out by its own verifiers, who post what they found", async (t) => {
  const { client, startWorker, ready, silenceCoordinator, until } = await startLocalStack(t, {
    ASSAY_LEASE_SECONDS: "10",
  })
  const publicUrl = `http://127.0.0.1:${await freePort()}`
  const cheat = startWorker({ backend: LAZY, publicUrl, selfCommitMargin: 2 })
  const honest = [1, 2, 3].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(8), shardSize: 8, fee: FEE, auditRate: 5000 })
  await until("a lease", () => cheat.events.some(({ kind }) => kind === "leased"))
  await silenceCoordinator()
  await until("the cheat is slashed", () => cheat.events.some(({ kind }) => kind === "slashed"), 150)
  const committed = cheat.events.filter((event) => event.kind === "committed")
  assert.deepEqual(
    committed.map(({ by }) => by),
    ["self"],
  )
  assert.ok(!cheat.events.some(({ kind }) => kind === "paid"), "nothing is earned by it")
  for (const { handle } of [cheat, ...honest]) await handle.stop()
})
