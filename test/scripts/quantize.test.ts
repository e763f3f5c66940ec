import assert from "node:assert/strict"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { compileProgram, encodeNpy } from "#engine"
import { cnn } from "../engine/support/networks.ts"
import { assay, tempDir } from "./support/assay.ts"

async function files(t: TestContext, samples: number): Promise<{ dir: string; model: string; samples: string }> {
  const dir = await tempDir(t)
  const net = cnn()
  await writeFile(join(dir, "model.onnx"), net.model)
  await mkdir(join(dir, "samples"))
  for (let i = 0; i < samples; i++) await writeFile(join(dir, "samples", `${i}.npy`), encodeNpy(net.inputs(i + 1)[0]!))
  return { dir, model: join(dir, "model.onnx"), samples: join(dir, "samples") }
}

test("behavior: quantize writes a program and reports size, speed and accuracy on what it held back", async (t) => {
  const { dir, model, samples } = await files(t, 5)
  const out = join(dir, "small.onnx")
  const { status, stdout } = await assay(["quantize", model, "--calibrate", samples, "--out", out, "--json"])
  assert.equal(status, 0)
  const report = JSON.parse(stdout)
  const [before, after] = [await readFile(model), await readFile(out)]
  compileProgram(after)
  assert.deepEqual(report.size, { original: before.byteLength, integer: after.byteLength })
  assert.deepEqual(report.samples, { calibration: 4, heldBack: 1 })
  for (const ms of Object.values(report.speed)) assert.ok((ms as number) > 0)
  assert.equal(report.outputs[0].name, "scores")
  assert.ok(report.outputs[0].cosine > 0.999 && report.outputs[0].maxError >= report.outputs[0].meanError)
  assert.ok(report.layers.quantized.length > 0)
})

test("error: quantize without samples, without a file of them, or onto the model itself is wrong usage", async (t) => {
  const { dir, model, samples } = await files(t, 1)
  const codeOf = async (...args: string[]) => {
    const { status, stdout } = await assay(["quantize", model, ...args, "--json"])
    return [status, JSON.parse(stdout).error.code]
  }
  assert.deepEqual(await codeOf(), [2, "E_INPUT_MISSING"])
  assert.deepEqual(await codeOf("--calibrate", samples), [2, "E_INPUT_MISSING"])
  assert.deepEqual(await codeOf("--calibrate", join(dir, "none")), [2, "E_INPUT_FILE"])
  assert.deepEqual(await codeOf("--calibrate", samples, "--out", model), [2, "E_USAGE"])
  assert.deepEqual(await codeOf("--calibrate", samples, "--accuracy", "2"), [2, "E_USAGE"])
  assert.deepEqual(await codeOf("--calibrate", samples, "--hold-back", "0%"), [2, "E_USAGE"])
})
