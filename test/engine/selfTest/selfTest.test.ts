import assert from "node:assert/strict"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import {
  assertSelfTest,
  checkFirstInput,
  compileProgram,
  createRunner,
  type EngineError,
  modelArtifact,
  normalizeModel,
  RECORDED_VECTORS,
  type Runner,
  recordVectors,
  runSelfTest,
} from "#engine"
import { PROGRAM_OPERATORS } from "#engine/program/primitive.ts"
import { selfTestModels } from "#engine/selfTest/models.ts"
import { PRIMITIVES, primitiveName } from "#protocol"
import { assertConforms, runModel } from "../support/conformance.ts"
import { classifier, ramp } from "../support/graphs.ts"

const runner = createRunner()
const folder = await mkdtemp(join(tmpdir(), "assay-self-test-"))
after(async () => {
  await runner.close()
  await rm(folder, { recursive: true })
})

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

test("R25: every primitive and every operator of programs has a vector", () => {
  const programs = selfTestModels().map(({ bytes }) => compileProgram(bytes))
  const primitives = new Set(programs.flatMap(({ operations }) => operations.map(({ code }) => primitiveName(code))))
  const operators = new Set(programs.flatMap(({ wires }) => wires.map(({ node }) => node?.op)))
  assert.deepEqual(
    Object.keys(PRIMITIVES).filter((name) => !primitives.has(name as keyof typeof PRIMITIVES)),
    [],
  )
  assert.deepEqual(
    PROGRAM_OPERATORS.filter((op) => !operators.has(op)),
    [],
  )
})

test("R25: what is recorded is what the definitions say, wire by wire, and this machine gives it", async (t) => {
  let [operations, judged] = [0, 0]
  for (const { name, bytes, inputs } of selfTestModels()) {
    const found = await assertConforms(runner, bytes, inputs, await runModel(runner, bytes, inputs))
    assert.equal(found.judged, found.operations, name)
    operations += found.operations
    judged += found.judged
  }
  t.diagnostic(`${judged} of ${operations} operations computed anew by their definition`)
  assert.deepEqual(await runSelfTest(runner), { ok: true, passed: RECORDED_VECTORS.vectors.length, failed: [] })
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

test("R2: a first input is run alone and traced, and a model whose answers differ is named", async () => {
  const { bytes: model } = await normalizeModel({ runner }, classifier())
  const path = join(folder, "model.onnx")
  await writeFile(path, model)
  const artifact = modelArtifact(model, path)
  const input = [ramp([1, 4])]
  assert.equal((await checkFirstInput(runner, artifact, input))[0]!.data.length, 8, "an int64 label")
  // A machine that computes otherwise when nobody looks inside: the file as it is, every answer with one bit turned.
  const fickle: Runner = {
    ...runner,
    run: async (sha256, inputs) => {
      const outputs = await runner.run(sha256, inputs)
      if (sha256 === artifact.sha256) for (const { data } of outputs) data[0]! ^= 1
      return outputs
    },
  }
  await assert.rejects(checkFirstInput(fickle, artifact, input), (error: EngineError) => {
    return error.code === "E_RUN_NOT_REPRODUCIBLE" && /"label"/.test(error.message)
  })
})
