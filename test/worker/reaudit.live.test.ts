import assert from "node:assert/strict"
import { test } from "node:test"
import { type Address, isAddressEqual } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { parseVerifiers } from "#protocol"
import { readDraw } from "../../worker/audits/draw.ts"
import { createBatchBook, jobOfBatch } from "../../worker/chain/batches.ts"
import { type Chain, openChain } from "../../worker/chain/chain.ts"
import { classifier } from "../engine/support/graphs.ts"
import { startCopier } from "./support/copier.ts"
import { freePort, startLocalStack } from "./support/localStack.ts"
import { distinctTasks } from "./support/tasks.ts"

const FEE = 10n ** 16n

test("R21, R22: a verifier that copies another's verdict loses its seat's C_v, proved by who was drawn to audit again", async (t) => {
  const { client, deployment, startWorker, ready, until } = await startLocalStack(t)
  const worker = startWorker()
  const honest = [1, 2].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  const author = honest[0]!.address
  const copier = await startCopier(
    { ...worker.options, accountKey: generatePrivateKey(), sessionKey: generatePrivateKey() },
    { seats: 12, author },
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
  const post = async () => {
    const tasks = distinctTasks(192)
    const job = await client.post({ model: classifier(), tasks, shardSize: 16, fee: FEE, auditRate: 10_000 })
    return job.jobId
  }
  const [before] = await registry.read.stakerOf([copier.address])
  const proofs = () => [worker, ...honest].flatMap(({ events }) => events).filter((event) => event.kind === "proved")
  const copies = () => proofs().filter(({ fault }) => fault === "copied").length
  const paid = () => worker.events.filter((event) => event.kind === "paid" && event.role === "worker").length
  // Every task is audited, and one verdict in ten a second time. Whose are counted, and who looks, is chance: so that it
  // does not fail this test, there are several jobs.
  let jobId = await post()
  for (let jobs = 1; jobs < 6; jobs++) {
    await until("a copy is proved, or the job is paid", () => copies() > 0 || paid() >= jobs)
    if (copies() > 0) break
    jobId = await post()
  }
  await until("a copy is proved", () => copies() > 0)
  for (const proof of proofs()) {
    assert.ok(proof.kind === "proved" && isAddressEqual(proof.verifier, copier.address))
    assert.equal(proof.fault, (await couldBeKnown(chain, proof, author)) ? "copied" : "madeUp")
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

test("R18, R22: verdicts on a batch that a worker committed for itself are given again as well, and a copied one is found", async (t) => {
  const env = { ASSAY_LEASE_SECONDS: "15", ASSAY_BATCH_MAX_AGE_SECONDS: "86400" }
  const { client, startWorker, silenceCoordinator, ready, until } = await startLocalStack(t, env)
  const worker = startWorker({ publicUrl: `http://127.0.0.1:${await freePort()}`, selfCommitMargin: 5 })
  const honest = [1, 2].map(() => startWorker({ verifyOnly: true, seats: 6 }))
  const copier = await startCopier(
    { ...worker.options, accountKey: generatePrivateKey(), sessionKey: generatePrivateKey() },
    { seats: 12, author: honest[0]!.address },
  )
  t.after(() => copier.stop())
  await ready()
  await until("both honest verifiers are staked", async () => {
    const { capabilities } = await client.info()
    return capabilities.some(({ seats }) => seats >= 24)
  })
  const tasks = distinctTasks(192)
  await client.post({ model: classifier(), tasks, shardSize: 16, fee: FEE, auditRate: 10_000 })
  await until("a lease", () => worker.events.some(({ kind }) => kind === "leased"))
  await silenceCoordinator()
  const heard = () => honest.flatMap(({ events }) => events)
  await until(
    "verdicts are given again",
    () => heard().some((event) => event.kind === "audited" && event.round !== undefined),
    180,
  )
  await until("a false digest is proved", () => heard().some(({ kind }) => kind === "proved"))
  for (const event of heard()) {
    if (event.kind === "proved") assert.ok(isAddressEqual(event.verifier, copier.address))
  }
  for (const { handle, events } of [worker, ...honest]) {
    assert.ok(!events.some(({ kind }) => kind === "slashed"), "no honest one loses anything")
    await handle.stop()
  }
})

/** Whether the author was asked about the sample or audited any of the batch: of others there is no digest to find. */
async function couldBeKnown(
  chain: Chain,
  { batchId, sample }: { batchId: bigint; sample: number },
  author: Address,
): Promise<boolean> {
  const batches = createBatchBook(chain)
  const [committed, attestation, terms] = await Promise.all([
    batches.batch(batchId),
    batches.attestation(batchId),
    batches.terms(jobOfBatch(batchId)),
  ])
  assert.ok(committed && attestation && terms)
  const draw = await readDraw(chain, { batch: committed.batch, terms, seed: attestation.seed })
  const known = [
    ...(await draw.candidatesOf(sample)),
    ...parseVerifiers(attestation.verifiers).map((one) => one.verifier),
  ]
  return known.some((one) => isAddressEqual(one, author))
}
