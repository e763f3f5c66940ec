import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { eq } from "drizzle-orm"
import { createPublicClient, type Hex, http } from "viem"
import { type CompiledProgram, compileProgram, createRunner, normalizeModel, traceProgram, writeModel } from "#engine"
import {
  buildTrace,
  defendantCall,
  disputeGameAbi,
  isChallengersTurn,
  type Links,
  linksOf,
  nextDefendantMove,
  placeOf,
  type TaskResult,
  type Tensor,
  type Trace,
  taskSalt,
  withTensors,
} from "#protocol"
import { disputeLeaf } from "../../../client/disputes/disputeLeaf.ts"
import { readGame } from "../../../client/disputes/readGame.ts"
import { attestationStruct, type BatchRow, batchStruct } from "../../../coordinator/batches/batchRow.ts"
import { openBatch } from "../../../coordinator/batches/openBatch.ts"
import { batches } from "../../../coordinator/store/schema.ts"
import { missingArtifacts } from "../../coordinator/support/localChain.ts"
import { type Market, openMarket, type Party, type Work } from "../../coordinator/support/marketFixture.ts"

const skip = missingArtifacts() ?? false
const runner = createRunner()
/** The task whose result the cheat makes up. */
const WRONG_TASK = 5
const TASKS = 16

const floats = (dims: number[], seed: number): Tensor => {
  const size = dims.reduce((all, dim) => all * dim, 1)
  const data = new Uint8Array(Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i * 1.7)).buffer)
  return { dtype: "float32", dims, data }
}
const inputOf = (taskIndex: number) => floats([2, 32], taskIndex)

/** Several layers, so that the trace has more wires than one row shows. */
const LAYERS = 24
const model = writeModel({
  name: "layers",
  nodes: Array.from({ length: LAYERS }, (_, i) => [
    { op: "MatMul", inputs: [i === 0 ? "x" : `h${i - 1}`, `w${i}`], outputs: [`m${i}`] },
    { op: "Add", inputs: [`m${i}`, `b${i}`], outputs: [`a${i}`] },
    { op: "Tanh", inputs: [`a${i}`], outputs: [i === LAYERS - 1 ? "y" : `h${i}`] },
  ]).flat(),
  inputs: [{ name: "x", dtype: "float32", dims: [2, 32] }],
  outputs: [{ name: "y", dtype: "float32", dims: [2, 32] }],
  initializers: Object.fromEntries(
    Array.from({ length: LAYERS }, (_, i) => [
      [`w${i}`, floats([32, 32], i + 0.5)],
      [`b${i}`, floats([32], i + 0.25)],
    ]).flat(),
  ),
})

let market: Market
let verifiers: Party[]
let program: CompiledProgram
let work: Work
let traces: Trace[]

before(async () => {
  if (skip) return
  const { bytes } = await normalizeModel({ runner }, model)
  program = compileProgram(bytes)
  work = { version: 1, programRoot: program.root, model: bytes, inputOf }
  traces = []
  for (let i = 0; i < TASKS; i++) traces.push(buildTrace(await traceProgram({ runner }, bytes, [inputOf(i)], program)))
  // Time enough for a busy machine; the life of a dispute still ends inside the unbonding.
  market = await openMarket({ window: 30 })
  verifiers = [await market.worker(9), await market.worker(9), await market.worker(9), await market.worker(9)]
  await market.until("the follower saw them", async () => (await market.services.follower.head()) !== undefined)
})
after(async () => {
  await runner.close()
  if (!skip) await market.close()
})

const resultOf = ({ tensors }: Trace): TaskResult => ({
  outputs: program.program.outputs.map((wire) => tensors[wire]!),
  digests: program.program.digests.map((wire) => tensors[wire]!),
})

function falsified(trace: Trace, wires: readonly number[]): Trace {
  const changed = wires.map((wire): [number, Tensor] => {
    const tensor = trace.tensors[wire]!
    const data = tensor.data.slice()
    data[4 * 7 + 1]! ^= 1
    return [wire, { ...tensor, data }]
  })
  return withTensors(trace, new Map(changed))
}

type Staged = { batch: BatchRow; false_: Trace; cheat: Party; salt: Hex; position: number; params: LeafParams }
type LeafParams = Parameters<typeof disputeLeaf>[1]

/** A batch with one wrong leaf, which the cheat's friends have confirmed where it was drawn. */
async function stage(wires: readonly number[]): Promise<Staged> {
  const cheat = await market.worker(1)
  const job = await market.postJob({ tasks: TASKS, shardSize: 4, auditRate: 1_000 }, work)
  const false_ = falsified(traces[WRONG_TASK]!, wires)
  const answer = (task: number) => resultOf(task === WRONG_TASK ? false_ : traces[task]!)
  for (let shard = 0; shard < TASKS / 4; shard++) await market.compute(job, shard, cheat, answer)
  const read = async () => (await market.db.select().from(batches).where(eq(batches.jobId, job.jobId)))[0]
  await market.until(
    "the batch is attested",
    async () => (await read())?.state === "attested",
    async () => {
      for (const one of verifiers) await market.audit(one, answer)
    },
  )
  const batch = (await read())!
  const open = (await openBatch(market.db, batch, job.terms))!
  const position = Array.from({ length: open.layout.size }, (_, at) => at).find(
    (at) => placeOf(open.layout, at).taskIndex === WRONG_TASK,
  )!
  const salt = taskSalt(job.jobSalt, WRONG_TASK)
  const params: LeafParams = {
    batchId: batch.batchId,
    terms: job.terms,
    batch: batchStruct(batch),
    attestation: attestationStruct(batch),
    signed: {
      leaf: open.leafAt(position),
      path: open.pathOf(position),
      ...open.signedShard(placeOf(open.layout, position).ordinal),
    },
    position,
    program: work.model,
    salt,
    inputs: [inputOf(WRONG_TASK)],
  }
  return { batch, false_, cheat, salt, position, params }
}

/** The cheat answers as long as it can; `silent`: it never does, and time passes. */
async function play(staged: Staged, { silent = false }: { silent?: boolean } = {}, more: Partial<LeafParams> = {}) {
  const { local } = market
  const account = await local.fund()
  const chain = createPublicClient({ transport: http(local.rpcUrl), pollingInterval: 50 })
  const { game } = local.deployment.contracts
  const fromBlock = await chain.getBlockNumber()
  const links: Links = linksOf(staged.salt, staged.false_.roots, program)
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
      const move = nextDefendantMove({ turn, shown, own: staged.false_, program })
      if (move.move === "wait") continue
      const { functionName, args } = defendantCall(move, { record }, { program, links })
      await local.send(staged.cheat.account, { to: game, abi: disputeGameAbi, name: functionName, args })
    }
  })()
  try {
    const deps = { chain, deployment: local.deployment, account, runner }
    const result = await disputeLeaf(deps, { ...staged.params, ...more })
    return { result, account, chain }
  } finally {
    over = true
    await answering
  }
}

async function firstDispute(fromBlock: bigint): Promise<bigint | undefined> {
  const { local } = market
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
  const [output] = program.program.outputs
  const staged = await stage([output!])
  const claimedOutputs = resultOf(staged.false_).outputs
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
  const [output] = program.program.outputs
  const inner = 30
  const { result } = await play(await stage([inner, inner + 9, output!]))
  assert.equal(result.outcome, "refuted")
  assert.equal(result.reason, "element")
  assert.equal(result.operation?.index, inner - 1)
  assert.equal(result.element, 7)
  assert.ok(result.transactions.length <= 16)
})

test("one that says nothing loses by its clock", { skip }, async () => {
  const { result } = await play(await stage([program.program.outputs[0]!]), { silent: true })
  assert.deepEqual([result.outcome, result.reason], ["refuted", "silent defendant"])
})

test("a right leaf is not disputed", { skip }, async () => {
  const staged = await stage([program.program.outputs[0]!])
  const { local } = market
  const open = (await openBatch(market.db, staged.batch, staged.params.terms))!
  const position = staged.position - 1
  const chain = createPublicClient({ transport: http(local.rpcUrl) })
  const result = await disputeLeaf(
    { chain, deployment: local.deployment, account: await local.fund(), runner },
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
  return (await market.contexts.get(batch.jobId)).salt(task)
}
