import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { type Address, createPublicClient, type Hex, http, type PublicClient } from "viem"
import {
  defendantCall,
  disputeGameAbi,
  isChallengersTurn,
  type Links,
  linksOf,
  nextDefendantMove,
  placeOf,
} from "#protocol"
import { readHistory } from "../../../client/chain/readHistory.ts"
import { disputeLeaf } from "../../../client/disputes/disputeLeaf.ts"
import { readGame } from "../../../client/disputes/readGame.ts"
import { readConservation } from "../../../client/payouts/conservation.ts"
import { readPayouts } from "../../../client/payouts/readPayouts.ts"
import { openBatch } from "../../../coordinator/batches/openBatch.ts"
import {
  type Disputes,
  inputOf,
  type LeafParams,
  openDisputes,
  type Staged,
  WRONG_TASK,
} from "../../coordinator/support/disputedJob.ts"
import { missingArtifacts } from "../../coordinator/support/localChain.ts"

const skip = missingArtifacts() ?? false
let disputes: Disputes

before(async () => {
  if (!skip) disputes = await openDisputes()
})
after(async () => {
  if (!skip) await disputes.close()
})

/** The cheat answers as long as it can; `silent`: it never does, and time passes. */
async function play(staged: Staged, { silent = false }: { silent?: boolean } = {}, more: Partial<LeafParams> = {}) {
  const { program, runner } = disputes
  const { local } = disputes.market
  const account = await local.fund()
  const chain = createPublicClient({ transport: http(local.rpcUrl), pollingInterval: 50 })
  const { game } = local.deployment.contracts
  const fromBlock = await chain.getBlockNumber()
  const links: Links = linksOf(staged.salt, staged.own.roots, program)
  let disputeId: bigint | undefined
  let over = false
  const answering = (async () => {
    while (!over) {
      disputeId ??= await firstDispute(fromBlock)
      // Recomputing takes the watcher a while, for which the window stays open.
      if (disputeId === undefined) await sleep(100)
      if (silent && disputeId !== undefined) await local.warp(5)
      if (disputeId === undefined || silent) continue
      const { record } = await readGame(chain, { game, disputeId, fromBlock })
      if (!record || isChallengersTurn(record)) continue
      const { turn, shown } = record
      const move = nextDefendantMove({ turn, shown, own: staged.own, program })
      if (move.move === "wait") continue
      const { functionName, args } = defendantCall(move, { record }, { program, links })
      await local.send(staged.worker.account, { to: game, abi: disputeGameAbi, name: functionName, args })
    }
  })()
  try {
    const deps = { chain, deployment: local.deployment, account, runner }
    const result = await disputeLeaf(deps, { ...staged.params, ...more })
    await assertBooksAgree(chain, account.address)
    return { result, account, chain }
  } finally {
    over = true
    await answering
  }
}

/** R9: the bond of a find is in the vault's books as in the watcher's: it came, and it went back. */
async function assertBooksAgree(chain: PublicClient, watcher: Address): Promise<void> {
  const { deployment } = disputes.market.local
  const conservation = await readConservation(chain, deployment, await readHistory(chain, deployment))
  assert.equal(conservation.balance, conservation.expected)
  const [payout] = await readPayouts(chain, deployment, watcher)
  assert.ok(payout?.balanced)
  assert.equal(payout.entries.filter(({ kind }) => kind === "bond").length, 1)
  assert.ok(payout.refunded > 0n)
}

async function firstDispute(fromBlock: bigint): Promise<bigint | undefined> {
  const { local } = disputes.market
  const [log] = await local.client.getContractEvents({
    address: local.deployment.contracts.game,
    abi: disputeGameAbi,
    eventName: "DisputeOpened",
    fromBlock,
    strict: true,
  })
  return log?.args.disputeId
}

test("a cheat whose friends hold the panel falls to one watcher in four transactions, where only its output was made up", {
  skip,
}, async () => {
  const [output] = disputes.program.program.outputs
  const staged = await disputes.stage([output!])
  const claimedOutputs = disputes.resultOf(staged.own).outputs
  const { result } = await play(staged, {}, { claimedOutputs })
  assert.equal(result.outcome, "refuted")
  assert.equal(result.reason, "element")
  assert.equal(result.element, 7)
  assert.notEqual(result.claimed, result.computed)
  assert.equal(result.operation?.index, output! - 1)
  assert.equal(result.transactions.length, 4)
  assert.ok(result.gas <= 1_000_000n, `${result.gas} gas`)
})

test("one that hides a false trace is led to its first wrong wire", { skip }, async () => {
  const [output] = disputes.program.program.outputs
  const inner = 30
  const { result } = await play(await disputes.stage([inner, inner + 9, output!]))
  assert.equal(result.outcome, "refuted")
  assert.equal(result.reason, "element")
  assert.equal(result.operation?.index, inner - 1)
  assert.equal(result.element, 7)
  assert.ok(result.transactions.length <= 16)
})

test("one that says nothing loses by its clock", { skip }, async () => {
  const { result } = await play(await disputes.stage([disputes.program.program.outputs[0]!]), { silent: true })
  assert.deepEqual([result.outcome, result.reason], ["refuted", "silent defendant"])
})

test("a right leaf is not disputed", { skip }, async () => {
  const staged = await disputes.stage([disputes.program.program.outputs[0]!])
  const { local } = disputes.market
  const open = (await openBatch(disputes.market.db, staged.batch, staged.params.terms))!
  const position = staged.position - 1
  const chain = createPublicClient({ transport: http(local.rpcUrl) })
  const result = await disputeLeaf(
    { chain, deployment: local.deployment, account: await local.fund(), runner: disputes.runner },
    {
      ...staged.params,
      position,
      inputs: [inputOf(WRONG_TASK - 1)],
      salt: await saltOf(staged, WRONG_TASK - 1),
      signed: {
        leaf: open.leafAt(position),
        path: open.pathOf(position),
        ...open.signedShard(placeOf(open.layout, position).ordinal),
      },
    },
  )
  assert.deepEqual([result.outcome, result.transactions], ["agrees", []])
})

async function saltOf({ batch }: Staged, task: number): Promise<Hex> {
  return (await disputes.market.contexts.get(batch.jobId)).salt(task)
}
