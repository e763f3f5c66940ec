import assert from "node:assert/strict"
import { test } from "node:test"
import { createWalletClient, type Hex, http } from "viem"
import type { Deployment } from "#protocol"
import { createBatchBook, jobOfBatch } from "../../worker/chain/batches.ts"
import { openChain } from "../../worker/chain/chain.ts"
import { classifier } from "../engine/support/graphs.ts"
import { freePort, startLocalStack, type TestWorker } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 18n

const SHORT_LEASES = { ASSAY_LEASE_SECONDS: "15" }

const paidAs = (role: string, workers: TestWorker[]) =>
  workers
    .flatMap(({ events }) => events)
    .reduce((total, event) => (event.kind === "paid" && event.role === role ? total + event.amount : total), 0n)

/** Asks on chain to be shown a leaf, the row of shards, a verdict and the signatures of a shard (R26). */
async function demandEverything(deployment: Deployment, batchId: bigint): Promise<void> {
  const chain = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const book = createBatchBook(chain)
  const [terms, committed, attestation] = await Promise.all([
    book.terms(jobOfBatch(batchId)),
    book.batch(batchId),
    book.attestation(batchId),
  ])
  assert.ok(terms && committed && attestation)
  const [account] = (await chain.client.request({ method: "eth_accounts" } as never)) as Hex[]
  const wallet = createWalletClient({ account: account!, transport: http(deployment.rpcUrl) })
  const { address, abi } = chain.challenges
  const asked = { address, abi, chain: null, value: 10n ** 17n } as const
  const parts = [terms, committed.batch, attestation] as const
  await wallet.writeContract({ ...asked, functionName: "demandLeaf", args: [...parts, 0] })
  await wallet.writeContract({ ...asked, functionName: "demandShards", args: parts })
  await wallet.writeContract({ ...asked, functionName: "demandVerdict", args: [...parts, 0] })
  await wallet.writeContract({ ...asked, functionName: "demandSignature", args: [...parts, 0] })
}

test("R18: workers of a coordinator that commits nothing commit for themselves, are audited, and paid", async (t) => {
  const { client, deployment, startWorker, silenceCoordinator, ready, until } = await startLocalStack(t, SHORT_LEASES)
  const options = async () => ({ publicUrl: `http://127.0.0.1:${await freePort()}`, selfCommitMargin: 5 })
  const workers = [startWorker(await options()), startWorker(await options())]
  const verifiers = [startWorker({ verifyOnly: true }), startWorker({ verifyOnly: true })]
  const all = [...workers, ...verifiers]
  await ready()
  await client.post({ model: classifier(), tasks: distinctTasks(16), shardSize: 8, fee: FEE })
  await until("a lease", () => workers.some(({ events }) => events.some(({ kind }) => kind === "leased")))
  await silenceCoordinator()
  const chain = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const attested = () =>
    chain.client.getContractEvents({ ...chain.market, eventName: "BatchAttested", fromBlock: 0n, strict: true })
  await until("an attestation by a worker", async () => (await attested()).length > 0, 180)
  await demandEverything(deployment, (await attested())[0]!.args.batchId)
  const answers = () =>
    chain.client.getContractEvents({ ...chain.challenges, eventName: "DemandAnswered", fromBlock: 0n })
  await until("R26: the worker answers all four demands by itself", async () => (await answers()).length === 4)
  await until("the work is paid", () => paidAs("worker", workers) === 16n * FEE, 180)
  const commits = workers.flatMap(({ events }) => events).filter((event) => event.kind === "committed")
  assert.ok(commits.length > 0)
  assert.ok(commits.every(({ by }) => by === "self"))
  assert.ok(paidAs("verifier", all) > 0n)
  for (const { handle } of all) await handle.stop()
})
