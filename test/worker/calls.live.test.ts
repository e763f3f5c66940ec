import assert from "node:assert/strict"
import { test } from "node:test"
import { juryAbi } from "#protocol"
import { openChain } from "../../worker/chain/chain.ts"
import { classifier } from "../engine/support/graphs.ts"
import { startLocalStack } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 16n

test("R20, R25: where half of the seats are silent, others are called on chain; the silent pay and the job is paid", async (t) => {
  const { client, deployment, startWorker, ready, until } = await startLocalStack(t)
  const worker = startWorker()
  const honest = [1, 2, 3].map(() => startWorker({ verifyOnly: true, seats: 5 }))
  const silent = [1, 2, 3].map(() => startWorker({ verifyOnly: true, seats: 5 }))
  await ready()
  await until("all are seated", () => silent.every(({ events }) => events.some(({ kind }) => kind === "staked")))
  // Their seats stay in the draw; nobody is behind them any more.
  for (const { handle } of silent) await handle.stop()
  const chain = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const at = { address: deployment.contracts.jury, abi: juryAbi, fromBlock: 0n, strict: true } as const
  const { jobId } = await client.post({
    model: classifier(),
    tasks: distinctTasks(48),
    shardSize: 16,
    fee: FEE,
    // One sample in eight has three silent candidates; of those who are called, hardly ever all are.
    auditRate: 10_000,
  })
  await until("seats are called", async () => {
    const calls = await chain.client.getContractEvents({ ...at, eventName: "SamplesCalled" })
    return calls.length > 0
  })
  await until("a called seat answers", async () => {
    const answers = await chain.client.getContractEvents({ ...at, eventName: "CallAnswered" })
    return answers.length > 0
  })
  // Of 48 samples one may be called in vain: then its range is void, and the worker commits it again by itself (R18).
  await until("the worker is paid", () => worker.events.some(({ kind }) => kind === "paid"), 420)
  await until(
    "the silent pay",
    async () => {
      const charged = await chain.client.getContractEvents({ ...at, eventName: "SeatSilent" })
      return charged.length > 0
    },
    60,
  )
  const gone = new Set(silent.map(({ address }) => address.toLowerCase()))
  for (const { args } of await chain.client.getContractEvents({ ...at, eventName: "SeatSilent" })) {
    assert.ok(gone.has(args.account.toLowerCase()), `${args.account} answered, or said that it was not served`)
  }
  assert.ok(jobId > 0n)
  for (const { handle, events } of [worker, ...honest]) {
    assert.ok(!events.some(({ kind }) => kind === "slashed"), "no honest one loses anything")
    await handle.stop()
  }
})
