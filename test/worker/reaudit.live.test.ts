import assert from "node:assert/strict"
import { test } from "node:test"
import { isAddressEqual } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { createBatchBook } from "../../worker/chain/batches.ts"
import { openChain } from "../../worker/chain/chain.ts"
import { classifier } from "../engine/support/graphs.ts"
import { startCopier } from "./support/copier.ts"
import { startLocalStack } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 16n

test("R21, R22: a verifier that copies another's verdict loses its seat's C_v, proved by who was drawn to audit again", async (t) => {
  const { client, deployment, startWorker, ready, until } = await startLocalStack(t)
  const worker = startWorker()
  const honest = [1, 2].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  const copier = await startCopier(
    { ...worker.options, accountKey: generatePrivateKey(), sessionKey: generatePrivateKey() },
    { seats: 12, author: honest[0]!.address },
  )
  t.after(() => copier.stop())
  await ready()
  // Whose digests are copied, and who looks again, must be among those who are drawn.
  await until("both honest verifiers are staked", async () => {
    const { capabilities } = await client.info()
    return capabilities.some(({ seats }) => seats >= 24)
  })
  const chain = openChain({ rpcUrl: deployment.rpcUrl, deployment })
  const { registry, market } = chain
  const [before] = await registry.read.stakerOf([copier.address])
  // Every task is audited, and one verdict in ten a second time: of a hundred copies about ten are looked at.
  const { jobId } = await client.post({
    model: classifier(),
    tasks: distinctTasks(192),
    shardSize: 16,
    fee: FEE,
    auditRate: 10_000,
  })
  const proofs = () => [worker, ...honest].flatMap(({ events }) => events).filter((event) => event.kind === "proved")
  await until("a copy is proved", () => proofs().length > 0, 150)
  // Where the one it copies was not drawn itself, there is no verdict that the digest equals: it is proved as made up.
  for (const proof of proofs()) {
    assert.ok(proof.kind === "proved" && isAddressEqual(proof.verifier, copier.address))
    assert.ok(["copied", "madeUp"].includes(proof.fault), proof.fault)
  }
  const terms = await createBatchBook(chain).terms(jobId)
  assert.ok(terms)
  const cv = await market.read.verdictCollateralOf([terms])
  const [after] = await registry.read.stakerOf([copier.address])
  assert.equal((before - after) % cv, 0n, "C_v for each that was proved")
  assert.ok(before - after >= cv)
  for (const { handle, events } of [worker, ...honest]) {
    assert.ok(!events.some(({ kind }) => kind === "slashed"), "no honest one loses anything")
    await handle.stop()
  }
})
