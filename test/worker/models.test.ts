import assert from "node:assert/strict"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { zeroHash } from "viem"
import { createRunner } from "#engine"
import { createModelChecks, modelArtifact } from "../../worker/models/checkModel.ts"
import { buildJob, type TestJob } from "./support/job.ts"

const runner = createRunner()
let folder: string
let job: TestJob
let path: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "assay-models-"))
  job = await buildJob()
  path = join(folder, "model.onnx")
  await writeFile(path, job.model)
})
after(async () => {
  await runner.close()
  await rm(folder, { recursive: true, force: true })
})

function check(change: Partial<{ spec: TestJob["spec"]; programRoot: `0x${string}` }> = {}) {
  const { spec = job.spec, programRoot = job.terms.programRoot } = change
  const task = { index: 0, inputs: [job.inputs[0]!] }
  return createModelChecks({ runner }).check({ model: modelArtifact(spec, path), spec, programRoot, task })
}

test("R2: the program that the terms name passes, alone and traced", async () => {
  await check()
})

test("error: R2: a file that is another program than the terms' is refused", async () => {
  await assert.rejects(check({ programRoot: zeroHash }), { code: "E_LEASE_MODEL" })
})

test("error: R2: a spec that names other digest tensors than the file is refused", async () => {
  const spec = { ...job.spec, model: { ...job.spec.model, digestTensors: [] } }
  await assert.rejects(check({ spec }), { code: "E_LEASE_MODEL" })
})
