import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { disputeGameAbi } from "#protocol"
import { openChain } from "../../worker/chain/chain.ts"
import { classifier } from "../engine/support/graphs.ts"
import { freePort, startLocalStack } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 18n
const LAZY = join(import.meta.dirname, "../../examples/cheats/lazy.ts")
const FORGER_ALONE = join(import.meta.dirname, "support/forgerAlone.ts")

test("R27, R29: a worker that made its answers up has no trace to show, and loses by its silence", async (t) => {
  const { client, startWorker, ready, until } = await startLocalStack(t)
  const cheat = startWorker({ backend: LAZY })
  const honest = [1, 2, 3].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(16), shardSize: 8, fee: FEE, auditRate: 5000 })
  await until("the cheat is slashed", () => cheat.events.some(({ kind }) => kind === "slashed"), 150)
  const moves = honest.flatMap(({ events }) => events).filter((event) => event.kind === "disputed")
  assert.ok(moves.some(({ move }) => move === "timeout"))
  assert.ok(!honest.some(({ events }) => events.some(({ kind }) => kind === "slashed")), "no honest one loses anything")
  assert.ok(!cheat.events.some(({ kind }) => kind === "paid"), "nothing is earned by it")
  for (const { handle } of [cheat, ...honest]) await handle.stop()
})

test("R27, R29: a forger that publishes a trace for its lie is refuted by one number, which its verifier shows by itself", async (t) => {
  const { client, deployment, startWorker, ready, until } = await startLocalStack(t)
  const cheat = startWorker({ backend: FORGER_ALONE })
  const honest = [1, 2, 3].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(8), shardSize: 8, fee: FEE, auditRate: 5000 })
  await until("the cheat is slashed", () => cheat.events.some(({ kind }) => kind === "slashed"), 150)
  const chain = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const { game } = deployment.contracts
  const judged = await chain.client.getContractEvents({
    address: game,
    abi: disputeGameAbi,
    eventName: "ElementJudged",
    fromBlock: 0n,
    strict: true,
  })
  assert.ok(judged.length > 0 && judged.every(({ args }) => args.claimed !== args.right))
  assert.ok(!honest.some(({ events }) => events.some(({ kind }) => kind === "slashed")), "no honest one loses anything")
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
