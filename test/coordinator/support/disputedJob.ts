import { eq } from "drizzle-orm"
import type { Hex } from "viem"
import { compileProgram, createRunner, normalizeModel, traceProgram, writeModel } from "#engine"
import { buildTrace, placeOf, type TaskResult, type Tensor, type Trace, taskSalt, withTensors } from "#protocol"
import type { disputeLeaf } from "../../../client/disputes/disputeLeaf.ts"
import { attestationStruct, type BatchRow, batchStruct } from "../../../coordinator/batches/batchRow.ts"
import { openBatch } from "../../../coordinator/batches/openBatch.ts"
import { batches } from "../../../coordinator/store/schema.ts"
import { openMarket, type Party, type PostedJob, type Work } from "./marketFixture.ts"

/** The task whose result the cheat makes up. */
export const WRONG_TASK = 5
const TASKS = 16

const floats = (dims: number[], seed: number): Tensor => {
  const size = dims.reduce((all, dim) => all * dim, 1)
  const data = new Uint8Array(Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i * 1.7)).buffer)
  return { dtype: "float32", dims, data }
}
export const inputOf = (taskIndex: number) => floats([2, 32], taskIndex)

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

export type LeafParams = Parameters<typeof disputeLeaf>[1]
export type Staged = {
  job: PostedJob
  batch: BatchRow
  /** What the worker stands by. */
  own: Trace
  worker: Party
  salt: Hex
  position: number
  params: LeafParams
}

export type Disputes = Awaited<ReturnType<typeof openDisputes>>

/** A market whose jobs run a program of several layers, so that the game can judge them. */
export async function openDisputes() {
  const runner = createRunner()
  const { bytes } = await normalizeModel({ runner }, model)
  const program = compileProgram(bytes)
  const work: Work = { version: 1, programRoot: program.root, model: bytes, inputOf }
  const traces: Trace[] = []
  for (let i = 0; i < TASKS; i++) traces.push(buildTrace(await traceProgram({ runner }, bytes, [inputOf(i)], program)))
  // Time enough for a busy machine; the life of a dispute still ends inside the unbonding.
  const market = await openMarket({ window: 30, unbonding: 700 })
  const verifiers = [await market.worker(9), await market.worker(9), await market.worker(9), await market.worker(9)]
  await market.until("the follower saw them", async () => (await market.services.follower.head()) !== undefined)

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

  /** A batch whose one leaf comes from falsified wires, and is confirmed by friends where it was drawn. */
  async function stage(wires: readonly number[]): Promise<Staged> {
    const worker = await market.worker(1)
    const job = await market.postJob({ tasks: TASKS, shardSize: 4, auditRate: 1_000 }, work)
    const own = falsified(traces[WRONG_TASK]!, wires)
    const answer = (task: number) => resultOf(task === WRONG_TASK ? own : traces[task]!)
    for (let shard = 0; shard < TASKS / 4; shard++) await market.compute(job, shard, worker, answer)
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
    return { job, batch, own, worker, salt, position, params }
  }

  return {
    runner,
    market,
    program,
    work,
    traces,
    verifiers,
    resultOf,
    falsified,
    stage,
    async close() {
      await runner.close()
      await market.close()
    },
  }
}
