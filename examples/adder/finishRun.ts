import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { buildStep, createRunner, initialState, withParameters } from "#engine"
import { MANIFEST_PATH, MODEL_PATH } from "./adderModel.ts"
import { exactMatches } from "./exactMatches.ts"
import { adderModel } from "./network.ts"
import { drawAdditions } from "./sums.ts"
import { adderTraining, SAMPLES } from "./training.ts"

/**
 * `node examples/adder/finishRun.ts RUN`: counts the held-out sums that the model of a run gets right in every digit, and
 * writes it for one addition at a time, beside the manifest that says where it came from.
 */
const [run] = process.argv.slice(2)
if (!run) {
  console.error("usage: node examples/adder/finishRun.ts RUN")
  process.exit(2)
}
const step = buildStep(adderTraining())
const [p] = initialState(step, new Uint8Array(await readFile(join(run, "model.onnx"))))
const held = drawAdditions(SAMPLES.train, SAMPLES.heldOut)
const runner = createRunner()
try {
  const right = await exactMatches({ runner }, step.parameters, p!, held)
  await writeFile(MODEL_PATH, withParameters(adderModel(1), step.parameters, p!))
  await mkdir(join(MANIFEST_PATH, ".."), { recursive: true })
  await writeFile(MANIFEST_PATH, await readFile(join(run, "manifest.json")))
  console.log(`${right} of ${held.length} held-out sums right; ${MODEL_PATH} is written`)
} finally {
  await runner.close()
}
