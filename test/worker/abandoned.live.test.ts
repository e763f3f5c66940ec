import assert from "node:assert/strict"
import { test } from "node:test"
import { isAddressEqual } from "viem"
import type { WorkerEvent } from "#protocol"
import { openChain } from "../../worker/chain/chain.ts"
import { classifier } from "../engine/support/graphs.ts"
import { freePort, type LocalStack, startLocalStack, type TestWorker } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 18n
const TASKS = 16

const eventsOf = <K extends WorkerEvent["kind"]>(workers: readonly TestWorker[], kind: K) =>
  workers.flatMap(({ events }) =>
    events.filter((event): event is Extract<WorkerEvent, { kind: K }> => event.kind === kind),
  )

const paidToWorkers = (workers: readonly TestWorker[]) =>
  eventsOf(workers, "paid").reduce((sum, { role, amount }) => (role === "worker" ? sum + amount : sum), 0n)

async function startWork({ client, startWorker, ready }: LocalStack, change: { withdrawAt?: bigint } = {}) {
  const withUrl = async () => ({ ...change, publicUrl: `http://127.0.0.1:${await freePort()}`, selfCommitMargin: 5 })
  const workers = [startWorker(await withUrl()), startWorker(await withUrl())]
  startWorker({ verifyOnly: true })
  startWorker({ verifyOnly: true })
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(TASKS), shardSize: 8, fee: FEE })
  return workers
}

test("R18, R24a: a batch whose coordinator died before it attested is forfeited, reclaimed and paid by its workers", async (t) => {
  const stack = await startLocalStack(t)
  // Pay is withdrawn without a hand once it is a fee.
  const workers = await startWork(stack, { withdrawAt: FEE })
  const committed = () => eventsOf(workers, "committed").filter(({ by }) => by === "coordinator")
  await stack.until("a commit by the coordinator", () => committed().length > 0)
  await stack.silenceCoordinator()
  await stack.until("the work is paid all the same", () => paidToWorkers(workers) === BigInt(TASKS) * FEE, 280)
  const byBatch = new Set(eventsOf(workers, "paid").map(({ batchId }) => batchId))
  assert.ok(
    committed().every(({ batchId }) => !byBatch.has(batchId)),
    "what was paid is what the workers committed for themselves",
  )
  await stack.until("the pay is withdrawn", () => {
    return eventsOf(workers, "withdrawn").reduce((sum, { amount }) => sum + amount, 0n) >= BigInt(TASKS) * FEE
  })
})

test("R30: a batch whose coordinator died after it attested is finalized by its workers", async (t) => {
  const stack = await startLocalStack(t)
  const workers = await startWork(stack)
  const { deployment } = stack
  const { client, market } = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const find = (eventName: "BatchAttested" | "BatchFinalized") =>
    client.getContractEvents({ address: market.address, abi: market.abi, eventName, fromBlock: 0n })
  await stack.until("an attestation", async () => (await find("BatchAttested")).length > 0)
  await stack.silenceCoordinator()
  await stack.until("a worker is paid", () => paidToWorkers(workers) > 0n)
  const [finalized] = await find("BatchFinalized")
  const { from } = await client.getTransaction({ hash: finalized!.transactionHash })
  assert.ok(workers.some(({ address }) => isAddressEqual(address, from)))
})
