import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  assertSelfTest,
  checkFirstInput,
  createRunner,
  type EngineError,
  modelArtifact,
  RECORDED_VECTORS,
  type Runner,
  recordVectors,
  runSelfTest,
} from "#engine"
import { classifier, ramp } from "../support/graphs.ts"

const runner = createRunner()
after(() => runner.close())

test("R25: a machine passes the vectors that it recorded itself", async () => {
  const own = await recordVectors(runner, "this machine")
  assert.deepEqual(await runSelfTest(runner, own), { ok: true, passed: own.vectors.length, failed: [] })
})

test("R25: the recording covers every model, and was made of these very models", async () => {
  const own = await recordVectors(runner, "this machine")
  assert.deepEqual(
    RECORDED_VECTORS.vectors.map(({ name, model }) => [name, model]),
    own.vectors.map(({ name, model }) => [name, model]),
    "run node engine/selfTest/record.ts after changing the models",
  )
})

test("R25: a machine that differs is told which vector failed and is refused exact work", async () => {
  const own = await recordVectors(runner, "this machine")
  const vectors = own.vectors.map((vector) =>
    vector.name === "exp" ? { ...vector, outputs: `0x${"00".repeat(32)}` as const } : vector,
  )
  const result = await runSelfTest(runner, { ...own, vectors })
  assert.deepEqual(
    result.failed.map(({ name }) => name),
    ["exp"],
  )
  await assert.rejects(assertSelfTest(runner, { ...own, vectors }), (error: EngineError) => {
    return error.code === "E_SELF_TEST_FAILED" && /1 of \d+ self-test vectors: exp/.test(error.message)
  })
})

test("R25: a vector that the recording lacks is a failure, not a pass", async () => {
  const own = await recordVectors(runner, "this machine")
  const result = await runSelfTest(runner, { ...own, vectors: own.vectors.slice(1) })
  assert.equal(result.ok, false)
})

test("R2: a first input is run twice in fresh sessions, and a model that differs is named", async () => {
  const model = classifier()
  const artifact = modelArtifact(model, "unused")
  const loads: boolean[] = []
  let run = 0
  const label = (value: number) => ({
    dtype: "int64" as const,
    dims: [1],
    data: Uint8Array.of(value, 0, 0, 0, 0, 0, 0, 0),
  })
  const fickle = (differs: boolean): Runner => ({
    ...runner,
    load: async (_source, _sha256, options) => {
      loads.push(options?.fresh ?? false)
      return { inputs: artifact.inputs, outputs: artifact.outputs }
    },
    run: async () => [label(differs ? run++ : 1)],
  })
  assert.equal((await checkFirstInput(fickle(false), artifact, [ramp([1, 4])])).length, 1)
  assert.deepEqual(loads, [true, true])
  await assert.rejects(checkFirstInput(fickle(true), artifact, [ramp([1, 4])]), (error: EngineError) => {
    return error.code === "E_RUN_NOT_REPRODUCIBLE" && /"label"/.test(error.message)
  })
})
