import assert from "node:assert/strict"
import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { createRunFolder, openRunFolder, type RunPlan, trainedModel } from "#client"
import { createRoundRuntime, createRunner, encodeNpz, playRound, readModelInterface, roundTasks } from "#engine"
import { isCodedError, type Tensor } from "#protocol"
import { readTrainConfig } from "../../scripts/shared/trainConfig.ts"
import { classifier } from "../engine/support/graphs.ts"
import { tempDir } from "./support/assay.ts"

const CONFIG = {
  title: "small",
  model: "model.onnx",
  data: "data.npz",
  loss: { kind: "crossEntropy", logits: "logits", targets: "y" },
  batch: 1,
  steps: 2,
  rounds: 3,
  slots: 2,
  optimizer: { kind: "adamw" },
  rate: { peak: 0.01, warmUp: 1 },
}

function samples(count: number, width: number): Record<string, Tensor> {
  const x = Float32Array.from({ length: count * width }, (_, i) => Math.sin(i))
  const y = BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 3))
  return {
    x: { dtype: "float32", dims: [count, width], data: new Uint8Array(x.buffer) },
    y: { dtype: "int64", dims: [count], data: new Uint8Array(y.buffer) },
  }
}

async function write(t: TestContext, change: object = {}, data = samples(10, 4)): Promise<string> {
  const dir = await tempDir(t)
  await writeFile(join(dir, "model.onnx"), classifier())
  await writeFile(join(dir, "data.npz"), encodeNpz(data))
  await writeFile(join(dir, "run.json"), JSON.stringify({ ...CONFIG, ...change }))
  return join(dir, "run.json")
}

const coded =
  (code: string, text = /./) =>
  (error: unknown) =>
    isCodedError(error) && error.code === code && text.test(error.message)

test("behavior: a configuration becomes a run's program, and the model can be exported before its first round", async (t) => {
  const path = await write(t)
  const { plan, rateOf } = await readTrainConfig(path)
  assert.deepEqual([plan.rounds, plan.program.slots, plan.program.steps], [3, 2, 2])
  assert.equal(rateOf(0), Math.fround(0.01))
  assert.ok(rateOf(5) < rateOf(2), "falls to the last of the six steps")
  const dir = join(path, "..", "run-run")
  await createRunFolder(dir, plan)
  const opened = await openRunFolder(dir)
  const runner = createRunner()
  t.after(() => runner.close())
  const model = await trainedModel({ runner }, opened.plan, opened.run)
  assert.deepEqual(readModelInterface(model), readModelInterface(classifier()))
  await assert.rejects(createRunFolder(dir, plan), coded("E_RUN_EXISTS"))
})

test("error: what a configuration cannot say is named", async (t) => {
  await assert.rejects(readTrainConfig(await write(t, { compression: "zip" })), coded("E_TRAIN_CONFIG", /compression/))
  await assert.rejects(readTrainConfig(await write(t, { slots: 65 })), coded("E_TRAIN_CONFIG", /slots/))
  const outer = { rate: 1, momentum: 0.5, trim: 1 }
  await assert.rejects(
    readTrainConfig(await write(t, { outer })),
    coded("E_TRAIN_CONFIG", /of 2 slots nothing is left/),
  )
  await assert.rejects(readTrainConfig(await write(t, { stepz: 1 })), coded("E_TRAIN_CONFIG", /stepz/))
  await assert.rejects(readTrainConfig(await write(t, { data: "none.npz" })), coded("E_FILE_MISSING", /none.npz/))
  const path = await write(t)
  await writeFile(path, "{")
  await assert.rejects(readTrainConfig(path), coded("E_TRAIN_CONFIG", /not JSON/))
})

test("error: data and losses that do not fit the model cost nothing", async (t) => {
  await assert.rejects(readTrainConfig(await write(t, {}, samples(10, 5))), coded("E_TRAIN_SHAPE", /"x"/))
  const { x } = samples(10, 4)
  await assert.rejects(readTrainConfig(await write(t, {}, { x: x! })), (error) => isCodedError(error))
  const notScalar = { loss: { kind: "tensor", name: "logits" } }
  await assert.rejects(readTrainConfig(await write(t, notScalar)), coded("E_TRAIN_LOSS_NOT_SCALAR"))
  const unused = { parameters: ["w1", "nobody"] }
  await assert.rejects(readTrainConfig(await write(t, unused)), coded("E_TRAIN_NAME", /nobody/))
})

test("behavior: data in one shard, given to each task, make the very model that the same data in the program make", async (t) => {
  const runner = createRunner()
  t.after(() => runner.close())
  const path = await write(t, { batch: 1, data: ["data.npz"] })
  const { plan } = await readTrainConfig(path)
  const within = (await readTrainConfig(await write(t))).plan
  const dir = join(path, "..", "run-run")
  await createRunFolder(dir, plan)
  const opened = await openRunFolder(dir)
  const names = readModelInterface(plan.program.model).inputs.map(({ name }) => name)
  assert.ok(names.includes("data.x") && names.includes("data.y"))
  const rates = [0.01, 0.02]
  const play = async ({ program }: RunPlan) => {
    const runtime = createRoundRuntime({ runner }, program)
    const first = await playRound(runtime, program, { state: program.genesis, rates })
    return (await playRound(runtime, program, { state: first.state, rates })).state
  }
  const state = await play(within)
  assert.deepEqual(await play(opened.plan), state)
  assert.deepEqual(await play(plan), state)
})

test("error: shards that are unlike, gone, or altered", async (t) => {
  const path = await write(t, { data: ["data.npz", "more.npz"] })
  const more = join(path, "..", "more.npz")
  await assert.rejects(readTrainConfig(path), coded("E_FILE_MISSING", /more.npz/))
  await writeFile(more, encodeNpz(samples(9, 4)))
  await assert.rejects(readTrainConfig(path), coded("E_TRAIN_SHAPE", /shard 1 the column "x"/))
  await writeFile(more, encodeNpz({ ...samples(10, 4), z: samples(10, 4).y! }))
  const { plan } = await readTrainConfig(path)
  const dir = join(path, "..", "run-run")
  await createRunFolder(dir, plan)
  const { program } = (await openRunFolder(dir)).plan
  const names = await readdir(join(dir, "data"))
  assert.equal(names.length, 2)
  const [, right] = await Promise.all(names.map((name) => readFile(join(dir, "data", name))))
  for (const name of names) await rm(join(dir, "data", name))
  const tasks = () => roundTasks(program, program.genesis, [0, 0])
  await assert.rejects(tasks(), coded("E_DATA_SHARD", /there is no shard/))
  for (const name of names) await writeFile(join(dir, "data", name), right!)
  await assert.rejects(tasks(), coded("E_DATA_SHARD", /not the shard/))
  for (const { path: original, sha256: hash } of plan.data!.shards) {
    await copyFile(original, join(dir, "data", `${hash.slice(2)}.npz`))
  }
  assert.equal((await tasks()).length, CONFIG.slots, "given back, it goes on")
})

test("error: a run whose files were altered is not gone on with", async (t) => {
  const path = await write(t)
  const { plan } = await readTrainConfig(path)
  const dir = join(path, "..", "run-run")
  await createRunFolder(dir, plan)
  const program = await readFile(join(dir, "program.onnx"))
  program[100]! ^= 1
  await writeFile(join(dir, "program.onnx"), program)
  await assert.rejects(openRunFolder(dir), coded("E_RUN_FOLDER", /program.onnx/))
  await assert.rejects(openRunFolder(join(dir, "nowhere")), coded("E_RUN_FOLDER"))
})
